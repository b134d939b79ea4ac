// HBM device of one channel behind the pins: decodes commands, drives read data exactly RL and takes write data exactly WL after them.
//
// RL and WL are what the mode registers say. Lanes carry the complement of the last data whenever no read is due, so that a
// mistimed capture shows. State, memory and the schedule of the lanes are kept by hx_device.cpp.

module hbm_device
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
  import hx_codes_pkg::*;
(
  input  logic            clk_i,
  input  logic            rst_ni,
  input  longint unsigned cycle_i,
  input  logic            flip_i,  // planted fault of the command decoder
  input  logic [2:0]      alert_i, // DERR of PC 1 and 0, AERR: raised on request only
  input  pins_out_t       pins_i,
  output pins_in_t        pins_o,

  // The decoded commands, for the recorder; they belong to the cycle before.
  output pin_valid_t      valid_o,
  output pin_cmd_t [3:0]  row_o,
  output pin_cmd_t [1:0]  col_o
);

  logic live;

  hbm_power_check u_power (.clk_i, .rst_ni, .cycle_i, .cmd_i(pins_i.cmd), .live_o(live));

  if (Generation == 2) begin : g_hbm2
    hbm_pins_hbm2 u_pins (
      .clk_i, .rst_ni, .cycle_i, .live_i(live), .flip_i, .cmd_i(pins_i.cmd), .valid_o, .row_o, .col_o
    );
  end else begin : g_hbm34
    hbm_pins_hbm34 u_pins (
      .clk_i, .rst_ni, .cycle_i, .live_i(live), .flip_i, .cmd_i(pins_i.cmd), .valid_o, .row_o, .col_o
    );
  end

  // Read lanes, registered: what stands here in cycle n is what the pins carry in n.
  logic [NumPcs-1:0][1:0][PhaseBits-1:0] dq_q;
  logic [NumPcs-1:0][1:0]                drive_q;

  always_comb begin
    pins_o = '0;
    pins_o.aerr[0] = alert_i[0];
    for (int unsigned pc = 0; pc < NumPcs; pc++) begin
      pins_o.rd[pc].dq      = dq_q[pc];
      pins_o.rd[pc].derr[0] = alert_i[1 + pc];
    end
  end

  initial hx_dev_config(Generation, NumSids, NumBankGroups, BanksPerGroup, Rows, 32'(HasDataMask));

  always_ff @(posedge clk_i or negedge rst_ni) begin : lanes
    int unsigned          due;
    bit [PhaseBits-1:0]   half;
    longint unsigned      base;
    logic [1:0]           want, oe;
    if (!rst_ni) begin
      drive_q <= '0;
      dq_q    <= '1;
    end else begin
      base = half_ck(cycle_i, 0) - 4;
      if (|{valid_o.row_valid, valid_o.col_valid}) begin
        // In order of time; a column command meets the row state of its own CK.
        for (int unsigned p = 0; p < 2; p++) begin
          if (valid_o.row_valid[2*p]) hx_dev_cmd(base + longint'(2 * p), row_o[2*p]);
          if (valid_o.col_valid[p]) hx_dev_cmd(base + longint'(2 * p), col_o[p]);
          if (valid_o.row_valid[2*p+1]) hx_dev_cmd(base + longint'(2 * p + 1), row_o[2*p+1]);
        end
      end

      due = hx_dev_lanes(cycle_i);
      for (int unsigned pc = 0; pc < NumPcs; pc++) begin
        for (int unsigned p = 0; p < 2; p++) begin
          if (due[pc*2+p]) begin
            hx_dev_read(pc, cycle_i * 2 + 64'(2 + p), half);
            dq_q[pc][p] <= half;
          end else if (drive_q[pc][p]) begin
            dq_q[pc][p] <= ~dq_q[pc][p];
          end
        end
        drive_q[pc] <= due[pc*2 +: 2];

        want = due[4 + pc*2 +: 2];
        oe   = pins_i.wr[pc].oe;
        if (|want) begin
          for (int unsigned p = 0; p < 2; p++) begin
            if (want[p]) hx_dev_write(pc, cycle_i * 2 + longint'(p), 32'(oe[p]), 32'(pins_i.wr[pc].dm[p]), pins_i.wr[pc].dq[p]);
          end
        end
        if (|(oe & ~want)) hx_error(half_ck(cycle_i, 0), ErrWriteSurplusData, pc, longint'(oe));
        if (|(oe & drive_q[pc])) hx_error(half_ck(cycle_i, 0), ErrDataCollision, pc, 1);
      end
    end
  end

endmodule
