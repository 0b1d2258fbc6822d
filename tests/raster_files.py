"""Small rasters in every format, written here: a field, a river and a forest in a few bands."""

from pathlib import Path

import numpy as np

BANDS = ("B02", "B03", "B04", "B08")
UTM, EAST, NORTH = "EPSG:32635", 500_000.0, 6_000_000.0


def scene(rows: int = 32, columns: int = 40, bands: int = 4) -> np.ndarray:
    """Reflectance × 10,000, `(bands, rows, columns)` in uint16: every pixel its own value."""
    random = np.random.default_rng(0)
    ground = random.integers(200, 3000, (bands, rows, columns))
    ground[-1, :, columns // 2 :] += 2000  # vegetation on the right
    return ground.astype(np.uint16)


def write_geotiff(path: Path, values: np.ndarray, names=BANDS, step: float = 10.0, crs=UTM, **more) -> Path:
    import rasterio

    transform = more.pop("transform", rasterio.transform.from_origin(EAST, NORTH, step, step))
    count, height, width = values.shape
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **more) as file:
        file.write(values)
        if names:
            file.descriptions = names
    return path


def write_sentinel(folder: Path, steps=(("B02", 10), ("B04", 10), ("B05", 20), ("B09", 60)), side: int = 24) -> Path:
    """A folder with a file of each band on one piece of ground of `side` × 10 m, at its own resolution."""
    folder.mkdir()
    random = np.random.default_rng(1)
    for name, step in steps:
        n = side * 10 // step
        values = random.integers(100, 4000, (1, n, n)).astype(np.uint16)
        write_geotiff(folder / f"T35_20200601_{name}.tif", values, (), step)
    return folder


def write_ome(path: Path, values: np.ndarray, names=("DAPI", "GFP"), step: float = 0.25) -> Path:
    import tifffile

    metadata = {"axes": "CYX", "Channel": {"Name": list(names)}}
    metadata |= {"PhysicalSizeX": 2 * step, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": step, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, values, metadata=metadata)
    return path


def dataset(values: np.ndarray):
    """Two variables over latitude and longitude, with a gap, and one with a third axis."""
    import xarray

    rows, columns = values.shape[1:]
    axes = {"lat": 50 - 0.01 * np.arange(rows), "lon": 10 + 0.01 * np.arange(columns)}
    first = values[0].astype(float)
    first[0, 0] = np.nan
    variables = {"ndvi": (("lat", "lon"), first), "lst": (("lat", "lon"), values[1].astype(float))}
    variables["level"] = (("depth", "lat", "lon"), values[2:4].astype(float))
    return xarray.Dataset(variables, coords={**axes, "depth": [1, 5]})
