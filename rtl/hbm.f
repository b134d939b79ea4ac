// The only file list of the RTL. HBM_GEOMETRY names a folder of rtl/gen (hbm2_s1, hbm3_s2, ...). Paths are relative to the repository.
rtl/gen/${HBM_GEOMETRY}/hbm_geometry_pkg.sv
rtl/hbm_pkg.sv
