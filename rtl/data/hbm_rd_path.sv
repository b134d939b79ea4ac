// Announces read data to the PHY, puts the halves that come back together, gives them their tags.
//
// Contract: M8.3. A read registered on the column bus in cycle C is announced in DFI cycle C + 1 + floor((Pc + RL) / 2), phase
// (Pc + RL) mod 2, and the CK after it. Data may come back any fixed time later, in order, aligned or from p1 to p0; the response leaves
// in the cycle in which its second half comes. At most RdPathDepth picked reads are out; beyond that no read is picked.

module hbm_rd_path
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Phase of the column commands of this PC, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic [7:0]          rl_i,      // CK
  input  logic                pick_i,    // a read is picked
  input  logic                rmw_i,     // it belongs to a partial write
  input  logic [RobWidth-1:0] tag_i,     // reorder slot, or index of the partial write
  output logic                ready_o,   // room for one more

  output logic [1:0] rddata_en_o,
  input  dfi_rd_t    dfi_i,

  output rd_rsp_t                 rsp_o,
  output logic                    merge_o,      // data of a partial write
  output logic [WrIdxWidth-1:0]   merge_idx_o,
  output logic [AxiDataWidth-1:0] merge_data_o,

  output logic empty_o,
  output logic surplus_o,  // data came that nobody waits for
  output logic missing_o   // no data for far too long
);

  localparam int unsigned PtrWidth = $clog2(RdPathDepth);
  localparam int unsigned MaxDelay = (255 + 1) / 2;
  localparam int unsigned Patience = 1023;  // cycles without any data while reads are out

  // ---------------------------------------------------------------- announcement
  logic [8:0]          first;  // CK from p0 of the DFI cycle of the command to the first data
  logic                odd, col_q, fire, fire_q;
  logic [MaxDelay-1:0] line_q;  // bit i: a read was on the column bus i+1 cycles ago
  logic [1:0]          en_q;
  assign first = 9'(rl_i) + 9'(Pc);
  assign odd   = first[0];
  assign fire  = (first[8:1] == '0) ? col_q : line_q[7'(first[8:1] - 8'd1)];

  logic [PtrWidth:0] count_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      col_q <= 1'b0;
      line_q <= '0;
      fire_q <= 1'b0;
      en_q <= '0;
    end else begin
      col_q <= pick_i;
      // Empty, the line is cleared: a longer latency must not find old bits.
      if (count_q != '0) line_q <= {line_q[MaxDelay-2:0], col_q};
      else if (line_q != '0) line_q <= '0;
      fire_q <= fire;
      en_q <= {fire, odd ? fire_q : fire};
    end
  end

  assign rddata_en_o = en_q;

  // ---------------------------------------------------------------- return
  logic                 half_q;  // the first half of a read waits
  logic [PhaseBits-1:0] half_data_q;
  logic                 done, known;
  logic [AxiDataWidth-1:0] data;

  assign done = half_q ? |dfi_i.valid : &dfi_i.valid;
  assign data = !half_q ? dfi_i.data : {dfi_i.valid[0] ? dfi_i.data[0] : dfi_i.data[1], half_data_q};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) half_q <= 1'b0;
    // Surplus halves are dropped: kept, one of them would shift all later reads.
    else if (count_q == '0) half_q <= 1'b0;
    else half_q <= half_q ^ (^dfi_i.valid);
  end

  always_ff @(posedge clk_i) begin
    if (|dfi_i.valid) half_data_q <= dfi_i.valid[1] ? dfi_i.data[1] : dfi_i.data[0];
  end

  // ---------------------------------------------------------------- tags, in order of the picks
  logic [RobWidth:0]   tags_q [RdPathDepth];
  logic [PtrWidth-1:0] in_q, out_q;
  logic                rmw;
  logic [RobWidth-1:0] tag;
  logic [9:0]          quiet_q;

  assign known      = done && count_q != '0;
  assign {rmw, tag} = tags_q[out_q];

  always_ff @(posedge clk_i) begin
    if (pick_i) tags_q[in_q] <= {rmw_i, tag_i};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      in_q <= '0;
      out_q <= '0;
      count_q <= '0;
      quiet_q <= '0;
    end else begin
      in_q <= in_q + PtrWidth'(pick_i);
      out_q <= out_q + PtrWidth'(known);
      count_q <= count_q + (PtrWidth + 1)'(pick_i) - (PtrWidth + 1)'(known);
      quiet_q <= (count_q == '0 || dfi_i.valid != '0 || missing_o) ? '0 : quiet_q + 10'd1;
    end
  end

  assign rsp_o        = '{valid: known & ~rmw, tag: tag, data: data};
  assign merge_o      = known & rmw;
  assign merge_idx_o  = WrIdxWidth'(tag);
  assign merge_data_o = data;

  assign ready_o   = !count_q[PtrWidth];
  assign empty_o   = count_q == '0 && !half_q;
  assign surplus_o = |dfi_i.valid && count_q == '0;
  assign missing_o = quiet_q == 10'(Patience);

`ifndef SYNTHESIS
  NoReadOverflow_A: assert property (@(posedge clk_i) disable iff (!rst_ni) pick_i |-> ready_o);
`endif

endmodule
