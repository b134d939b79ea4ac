// Gathers the commands that a PC issues in this cycle into one broadcast, registers the column command for the bus (M1.6).
//
// Latency: a pick of cycle p stands in col_o in p+1.

module hbm_pc_commit
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input row_cmd_t act_i,
  input row_cmd_t short_i,
  input logic     act_gnt_i,
  input logic     short_gnt_a_i,
  input logic     short_gnt_b_i,

  input bank_vec_t rd_bank_i,   // bank of the picked read, one-hot or zero
  input loc_t      rd_loc_i,
  input bank_vec_t wr_bank_i,
  input loc_t      wr_loc_i,
  input logic      any_rd_i,    // a read is picked
  input logic      any_wr_i,
  input bank_vec_t ap_i,        // bank of the pick, if the command closes its row

  output bank_cmd_t cmd_o,
  output logic      short_gnt_o,
  output col_cmd_t  col_o
);

  logic      short_gnt;
  bank_vec_t short_bank;
  assign short_gnt   = short_gnt_a_i | short_gnt_b_i;
  assign short_gnt_o = short_gnt;
  assign short_bank  = bank_onehot(bank_of(short_i.addr.sid, short_i.addr.bg, short_i.addr.ba));

  always_comb begin
    cmd_o = '0;
    if (act_gnt_i) cmd_o.act = bank_onehot(bank_of(act_i.addr.sid, act_i.addr.bg, act_i.addr.ba));
    cmd_o.act_row = act_i.addr.row;
    if (short_gnt) begin
      unique case (short_i.cmd)
        CmdPre:   cmd_o.pre = short_bank;
        CmdPrea:  cmd_o.pre = '1;
        CmdRefsb: cmd_o.refsb = short_bank;
        CmdRef:   cmd_o.ref_all = 1'b1;
        default:  ;
      endcase
    end
    cmd_o.late = short_gnt_b_i;
    cmd_o.rd = rd_bank_i;
    cmd_o.wr = wr_bank_i;
    cmd_o.any_rd = any_rd_i;
    cmd_o.any_wr = any_wr_i;
    cmd_o.ap = ap_i;
  end

  col_cmd_t col_q;
  logic     ap;
  assign ap = ap_i != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) col_q <= '0;
    else begin
      col_q.valid <= any_rd_i | any_wr_i;
      if (any_rd_i) begin
        col_q.cmd <= ap ? CmdRda : CmdRd;
        col_q.addr <= addr_of(rd_loc_i);
      end
      if (any_wr_i) begin
        col_q.cmd <= ap ? CmdWra : CmdWr;
        col_q.addr <= addr_of(wr_loc_i);
      end
    end
  end

  assign col_o = col_q;

  logic unused_addr;
  assign unused_addr = ^{act_i.valid, act_i.cmd, act_i.addr.col, short_i.valid, short_i.addr.row, short_i.addr.col};

endmodule
