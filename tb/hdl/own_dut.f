// Sources of a bench around a foreign controller, in order: shared packages, device, recorder, real pins. The controller's come after.
// HBM_GEOMETRY names a folder of rtl/gen; paths are relative to the root of the sources.
rtl/gen/${HBM_GEOMETRY}/hbm_geometry_pkg.sv
rtl/hbm_pkg.sv
rtl/phy/hbm_phy_pkg.sv
rtl/phy/hbm_opcode_pkg.sv
rtl/phy/hbm_rd_lane.sv
rtl/phy/hbm_phy_if.sv
tb/hdl/gen/hx_codes_pkg.sv
tb/hdl/hbm_tb_pkg.sv
tb/hdl/hbm_pins_hbm2.sv
tb/hdl/hbm_pins_hbm34.sv
tb/hdl/hbm_power_check.sv
tb/hdl/hbm_device.sv
tb/hdl/hbm_recorder.sv
tb/hdl/hbm_wave_view.sv
tb/hdl/hbm_wave_window.sv
tb/hdl/pins/hbm_ddr_pkg.sv
tb/hdl/pins/hbm_ddr_tx.sv
tb/hdl/pins/hbm_ddr_rx.sv
tb/hdl/pins/hbm_ddr_clock.sv
tb/hdl/pins/hbm_ddr_period.sv
tb/hdl/pins/hbm_ddr_host.sv
tb/hdl/pins/hbm_ddr_device.sv
tb/hdl/pins/hbm_bench_control.sv
tb/hdl/pins/hbm_word_bench.sv
tb/hdl/pins/hbm_dfi_bench.sv
tb/hdl/pins/hbm_pin_bench.sv
