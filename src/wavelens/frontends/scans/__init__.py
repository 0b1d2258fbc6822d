"""Files of scans, one format or family of formats per module: each says what it stores before a voxel is read."""
