// Sources of the timed side, in order; rtl/hbm.f comes before. Paths are relative to the repository.
tb/hdl/gen/hx_codes_pkg.sv
tb/hdl/hbm_tb_pkg.sv
tb/hdl/hbm_axi_master.sv
tb/hdl/hbm_apb_master.sv
tb/hdl/hbm_pins_hbm2.sv
tb/hdl/hbm_pins_hbm34.sv
tb/hdl/hbm_power_check.sv
tb/hdl/hbm_device.sv
tb/hdl/hbm_recorder.sv
tb/hdl/hbm_wave_view.sv
tb/hdl/hbm_wave_model.sv
tb/hdl/hbm_wave_window.sv
tb/hdl/tb_top.sv
