// Block bench of the PHY interface: encoders of all generations, the registered encoder and the lanes of this geometry,
// initialisation sequences and mode registers of all generations. cocotb drives the *_drv signals on falling edges.

module blk_phy
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  localparam int unsigned InitShift = 14;

  logic clk /* verilator public_flat_rd */;
  assign clk = clk_i;

  logic block_rst_drv /* verilator public_flat_rw */;
  logic rst_n;
  assign rst_n = rst_ni && !block_rst_drv;

  // ---------------------------------------------------------------- encoders (no state)
  // {valid, pc, sid[1:0], ba[3:0], row[14:0]}; slots {valid, cmd[4:0], pc, sid, ba}; columns {valid, cmd, pc, sid, ba, col[4:0]}.
  logic [$bits(dev_act_t)-1:0]        act_drv /* verilator public_flat_rw */;
  logic [1:0][$bits(dev_short_t)-1:0] slot_drv /* verilator public_flat_rw */;
  logic [1:0][$bits(dev_col_t)-1:0]   col_drv /* verilator public_flat_rw */;
  logic [$bits(mrs_cmd_t)-1:0]        mrs_drv /* verilator public_flat_rw */;   // {valid, ma[4:0], op[7:0]}
  logic [$bits(pin_state_t)-1:0]      state_drv /* verilator public_flat_rw */; // {reset_n, ck_en, power_down}

  // Words of each encoder: [phase][fall, rise].
  logic [1:0][1:0][5:0]  row_hbm2 /* verilator public_flat_rd */;
  logic [1:0][1:0][7:0]  col_hbm2 /* verilator public_flat_rd */;
  logic [1:0][1:0][6:0]  row_wide /* verilator public_flat_rd */;
  logic [1:0][1:0][8:0]  col_wide /* verilator public_flat_rd */;
  logic [1:0][1:0][9:0]  row_hbm3 /* verilator public_flat_rd */;
  logic [1:0][1:0][7:0]  col_hbm3 /* verilator public_flat_rd */;
  logic [1:0][1:0][9:0]  row_hbm4 /* verilator public_flat_rd */;
  logic [1:0][1:0][7:0]  col_hbm4 /* verilator public_flat_rd */;
  // {hbm4, hbm3, wide, hbm2} of {cke[1:0], arfu[3:0], apar[3:0]}.
  logic [3:0][9:0]       side /* verilator public_flat_rd */;

  dev_act_t         act;
  dev_short_t [1:0] slot;
  dev_col_t   [1:0] col;
  mrs_cmd_t         mrs;
  pin_state_t       pin_state;

  assign {act, slot, col, mrs, pin_state} = {act_drv, slot_drv, col_drv, mrs_drv, state_drv};

  hbm_encode_hbm2 #(.RowPins(6), .ColPins(8)) u_hbm2 (
    .act_i(act), .slot_a_i(slot[0]), .slot_b_i(slot[1]), .col_i(col), .mrs_i(mrs), .power_down_i(pin_state.power_down),
    .row_o(row_hbm2), .col_o(col_hbm2), .apar_o(side[0][3:0]), .arfu_o(side[0][7:4]), .cke_o(side[0][9:8])
  );
  hbm_encode_hbm2 #(.RowPins(7), .ColPins(9)) u_wide (
    .act_i(act), .slot_a_i(slot[0]), .slot_b_i(slot[1]), .col_i(col), .mrs_i(mrs), .power_down_i(pin_state.power_down),
    .row_o(row_wide), .col_o(col_wide), .apar_o(side[1][3:0]), .arfu_o(side[1][7:4]), .cke_o(side[1][9:8])
  );
  hbm_encode_hbm34 #(.Generation(3)) u_hbm3 (
    .act_i(act), .slot_a_i(slot[0]), .slot_b_i(slot[1]), .col_i(col), .mrs_i(mrs), .power_down_i(pin_state.power_down),
    .row_o(row_hbm3), .col_o(col_hbm3), .apar_o(side[2][3:0]), .arfu_o(side[2][7:4]), .cke_o(side[2][9:8])
  );
  hbm_encode_hbm34 #(.Generation(4)) u_hbm4 (
    .act_i(act), .slot_a_i(slot[0]), .slot_b_i(slot[1]), .col_i(col), .mrs_i(mrs), .power_down_i(pin_state.power_down),
    .row_o(row_hbm4), .col_o(col_hbm4), .apar_o(side[3][3:0]), .arfu_o(side[3][7:4]), .cke_o(side[3][9:8])
  );

  // ---------------------------------------------------------------- registered encoder and lanes, this geometry
  logic [2:0][7:0] geometry /* verilator public_flat_rd */;  // {SidWidth, RowWidth, Generation}
  assign geometry = {8'(SidWidth), 8'(RowWidth), 8'(Generation)};

  // A narrow geometry cuts bits off the widest fields.
  /* verilator lint_off UNUSEDSIGNAL */
  function automatic dram_addr_t address(input logic [1:0] sid, input logic [3:0] ba, input logic [14:0] row,
                                         input logic [4:0] column);
    return '{sid: SidWidth'(sid), bg: BgWidth'(ba >> BaWidth), ba: BaWidth'(ba), row: RowWidth'(row), col: ColWidth'(column)};
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */

  row_bus_t       row_bus;
  col_cmd_t [1:0] col_cmd;
  mrs_cmd_t       mrs_reg;
  logic           registered_drv /* verilator public_flat_rw */;  // 0: idle; cycles of another generation would break its rules

  always_comb begin
    row_bus = '{
      act:       '{valid: act.valid, cmd: CmdAct, addr: address(act.sid, act.ba, act.row, '0)},
      act_pc:    act.pc,
      slot_a:    '{valid: slot[0].valid, cmd: slot[0].cmd, addr: address(slot[0].sid, slot[0].ba, '0, '0)},
      slot_a_pc: slot[0].pc,
      slot_b:    '{valid: slot[1].valid, cmd: slot[1].cmd, addr: address(slot[1].sid, slot[1].ba, '0, '0)},
      slot_b_pc: slot[1].pc
    };
    row_bus.act.valid    = act.valid && registered_drv;
    row_bus.slot_a.valid = slot[0].valid && registered_drv;
    row_bus.slot_b.valid = slot[1].valid && registered_drv;
    mrs_reg = mrs;
    mrs_reg.valid = mrs.valid && registered_drv;
    for (int unsigned pc = 0; pc < 2; pc++) begin
      col_cmd[pc] = '{valid: col[pc].valid && registered_drv, cmd: col[pc].cmd, addr: address(col[pc].sid, col[pc].ba, '0, col[pc].col)};
    end
  end

  logic [$bits(dfi_cmd_t)-1:0]      dfi_bits /* verilator public_flat_rd */;
  logic [$bits(dfi_cmd_t)-1:0]      pin_bits /* verilator public_flat_rd */;
  // Words on the DFI in the order of the encoders above, and {cke, ck_en, reset_n}.
  logic [4*RowPins-1:0]             dfi_row /* verilator public_flat_rd */;
  logic [4*ColPins-1:0]             dfi_col /* verilator public_flat_rd */;
  logic [3:0]                       dfi_state /* verilator public_flat_rd */;

  logic [NumPcs-1:0][1:0]           wr_en_drv /* verilator public_flat_rw */;
  logic [NumPcs*2*PhaseBits-1:0]    wr_data_drv /* verilator public_flat_rw */;
  logic [NumPcs*2*PhaseBytes-1:0]   wr_mask_drv /* verilator public_flat_rw */;
  logic [NumPcs-1:0][1:0]           rd_en_drv /* verilator public_flat_rw */;
  logic [NumPcs*2*PhaseBits-1:0]    pin_dq_drv /* verilator public_flat_rw */;
  logic [2:0]                       rd_delay_drv /* verilator public_flat_rw */;
  logic [5:0]                       error_drv /* verilator public_flat_rw */;    // {derr PC1, derr PC0, aerr}, two phases each
  logic [NumPcs-1:0][1:0]           pin_oe /* verilator public_flat_rd */;
  logic [NumPcs*2*PhaseBits-1:0]    pin_dq /* verilator public_flat_rd */;
  logic [NumPcs*2*PhaseBytes-1:0]   pin_dm /* verilator public_flat_rd */;
  logic                             pin_rest /* verilator public_flat_rd */;     // a DBI or parity lane is not at rest
  logic [NumPcs-1:0][1:0]           rd_valid /* verilator public_flat_rd */;
  logic [NumPcs*2*PhaseBits-1:0]    rd_data /* verilator public_flat_rd */;
  logic [2:0]                       error /* verilator public_flat_rd */;        // {derr, aerr}

  dfi_cmd_t                  dfi_cmd;
  dfi_wr_t [NumPcs-1:0]      dfi_wr;
  dfi_rd_t [NumPcs-1:0]      dfi_rd;
  pins_out_t                 pins_out;
  pins_in_t                  pins_in;

  hbm_cmd_encoder u_cmd_encoder (
    .clk_i, .rst_ni(rst_n), .row_bus_i(row_bus), .col_i(col_cmd), .mrs_i(mrs_reg), .pin_state_i(pin_state), .dfi_cmd_o(dfi_cmd)
  );

  hbm_phy_if u_phy_if (
    .clk_i, .rst_ni(rst_n), .dfi_cmd_i(dfi_cmd), .dfi_wr_i(dfi_wr), .rddata_en_i(rd_en_drv), .dfi_rd_o(dfi_rd),
    .rd_delay_i(rd_delay_drv), .pins_o(pins_out), .pins_i(pins_in), .aerr_o(error[0]), .derr_o(error[2:1])
  );

  assign dfi_bits  = dfi_cmd;
  assign pin_bits  = pins_out.cmd;
  assign dfi_row   = dfi_cmd.row;
  assign dfi_col   = dfi_cmd.col;
  assign dfi_state = {dfi_cmd.cke, dfi_cmd.ck_en, dfi_cmd.reset_n};
  assign pins_in.aerr = error_drv[1:0];
  assign pin_rest  = |{pins_out.wr[1].dbi, pins_out.wr[1].par, pins_out.wr[0].dbi, pins_out.wr[0].par};

  for (genvar pc = 0; pc < int'(NumPcs); pc++) begin : g_pc
    assign dfi_wr[pc] = '{en: wr_en_drv[pc], data: wr_data_drv[2*PhaseBits*pc +: 2*PhaseBits],
                          mask: wr_mask_drv[2*PhaseBytes*pc +: 2*PhaseBytes]};
    assign pins_in.rd[pc] = '{dq: pin_dq_drv[2*PhaseBits*pc +: 2*PhaseBits], dbi: '0, par: '0, derr: error_drv[2+2*pc +: 2]};
    assign pin_oe[pc] = pins_out.wr[pc].oe;
    assign pin_dq[2*PhaseBits*pc +: 2*PhaseBits] = pins_out.wr[pc].dq;
    assign pin_dm[2*PhaseBytes*pc +: 2*PhaseBytes] = pins_out.wr[pc].dm;
    assign rd_valid[pc] = dfi_rd[pc].valid;
    assign rd_data[2*PhaseBits*pc +: 2*PhaseBits] = dfi_rd[pc].data;
  end

  // ---------------------------------------------------------------- initialisation and mode registers, all generations
  // Shadow set; each generation has its own active set.
  logic [7:0][15:0] timing_drv /* verilator public_flat_rw */;  // {mod, mrd, rfc, rtp, rp, ras, wr, wl}, and
  logic [7:0]       rl_drv /* verilator public_flat_rw */;
  logic             start_drv /* verilator public_flat_rw */;
  logic             commit_drv /* verilator public_flat_rw */;
  logic [4:0]       idle_drv /* verilator public_flat_rw */;    // {closed PC1, PC0, idle PC1, PC0, host}
  logic [4:0]       ma_drv /* verilator public_flat_rw */;
  // {hbm4, hbm3, hbm2} of {state, mrs, reset_n, ck_en, power_down, enable, quiesce, close, load, done, busy}.
  logic [2:0][26:0] init_obs /* verilator public_flat_rd */;
  logic [2:0][7:0]  op_obs /* verilator public_flat_rd */;      // mode register `ma_drv` of the shadow set
  // Unshortened waits in cycles: {tINIT5, tINIT3, tINIT1}.
  logic [2:0][2:0][31:0] waits /* verilator public_flat_rd */;

  timing_t shadow;

  always_comb begin
    shadow       = '0;
    shadow.rl    = rl_drv;
    shadow.wl    = timing_drv[0][7:0];
    shadow.t_wr  = timing_drv[1][7:0];
    shadow.t_ras = timing_drv[2][7:0];
    shadow.t_rp  = timing_drv[3][7:0];
    shadow.t_rtp = timing_drv[4][7:0];
    shadow.t_rfc = timing_drv[5][11:0];
    shadow.t_mrd = timing_drv[6][7:0];
    shadow.t_mod = timing_drv[7][7:0];
  end

  for (genvar g = 0; g < 3; g++) begin : g_generation
    timing_t     active_q;
    mrs_cmd_t    seq_mrs;
    pin_state_t  seq_pins;
    init_state_e state;
    logic        enable, quiesce, close, load, done, busy;

    always_ff @(posedge clk_i) begin
      if (load) active_q <= shadow;
    end

    hbm_init_seq #(.Generation(g + 2), .InitShift(InitShift)) u_init_seq (
      .clk_i, .rst_ni(rst_n), .start_i(start_drv), .commit_i(commit_drv), .timing_i(active_q),
      .host_idle_i(idle_drv[0]), .pc_idle_i(idle_drv[2:1]), .pc_closed_i(idle_drv[4:3]),
      .enable_o(enable), .quiesce_o(quiesce), .close_o(close), .load_o(load), .mrs_o(seq_mrs), .pin_state_o(seq_pins),
      .state_o(state), .done_o(done), .busy_o(busy)
    );
    hbm_mode_regs #(.Generation(g + 2)) u_mode_regs (.timing_i(shadow), .ma_i(ma_drv), .op_o(op_obs[g]));

    assign init_obs[g] = {state, seq_mrs, seq_pins, enable, quiesce, close, load, done, busy};
    assign waits[g] = {init_cycles(g + 2, Init5Ns), init3_cycles(g + 2), init_cycles(g + 2, Init1Ns)};
  end

  // Quiet until its own tests start.
  initial begin
    block_rst_drv = 1'b1;
    {act_drv, slot_drv, col_drv, mrs_drv, wr_en_drv, rd_en_drv} = '0;
  end

endmodule
