// The only file list of the RTL. HBM_GEOMETRY names a folder of rtl/gen (hbm2_s1, hbm3_s2, ...). Paths are relative to the repository.
rtl/gen/${HBM_GEOMETRY}/hbm_geometry_pkg.sv
rtl/hbm_pkg.sv
rtl/host/hbm_host_pkg.sv
rtl/host/hbm_fifo.sv
rtl/host/hbm_pulse_merge.sv
rtl/host/hbm_axi_check.sv
rtl/host/hbm_addr_map.sv
rtl/host/hbm_burst_split.sv
rtl/host/hbm_wr_accept.sv
rtl/host/hbm_wr_assemble.sv
rtl/host/hbm_excl_monitor.sv
rtl/host/hbm_b_queue.sv
rtl/host/hbm_slot_list.sv
rtl/host/hbm_slot_order.sv
rtl/host/hbm_reorder.sv
rtl/host/hbm_axi_port.sv
