"""Files of scans, a format or family of formats a file: each says what it stores before a voxel is read."""
