"""Where the shards of a run are computed: this process, processes of this machine, actors of Ray."""
