// Decides whether a PC serves reads or writes.
//
// Contract: M4.4, M4.7. A decision of cycle n holds from n+1. The urgent-batch rule bounds the wait of the other direction when both
// directions always have urgent hits.

module hbm_direction
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input policy_t policy_i,

  input rd_vec_t    rd_open_i,    // open hits
  input rd_vec_t    rd_urgent_i,
  input wr_vec_t    wr_open_i,
  input wr_vec_t    wr_urgent_i,
  input logic [LevelWidth-1:0] rd_level_i,  // queued entries
  input logic [LevelWidth-1:0] wr_level_i,
  input logic       issue_i,      // a column command is picked in this cycle
  input logic       force_i,      // the champion is ready: its direction is the next one
  input logic       force_wr_i,
  input logic       stay_i,       // the champion is served: no other change

  output logic writing_o,
  output logic quiet_o   // no pick and no change for a while (M6.7)
);

  localparam int unsigned SumWidth = LevelWidth + 1;
  localparam int unsigned QuietCycles = 32;  // idle count from which refreshes may run ahead
  localparam int unsigned UrgentBatch = 32;  // commands after which an urgent hit of the other direction is served

  logic       writing_q, swap;
  logic [7:0] idle_q;   // cycles since the last pick or change, saturating
  logic [5:0] batch_q;  // picks since the last change, saturating at UrgentBatch

  logic [LevelWidth-1:0] rd_open, wr_open, here, other, here_level, other_level;
  logic       rd_urgent, wr_urgent, here_urgent, other_urgent;
  assign rd_open   = LevelWidth'($countones(rd_open_i));
  assign wr_open   = LevelWidth'($countones(wr_open_i));
  assign rd_urgent = (rd_open_i & rd_urgent_i) != '0;
  assign wr_urgent = (wr_open_i & wr_urgent_i) != '0;

  assign here         = writing_q ? wr_open : rd_open;
  assign other        = writing_q ? rd_open : wr_open;
  assign here_level   = writing_q ? wr_level_i : rd_level_i;
  assign other_level  = writing_q ? rd_level_i : wr_level_i;
  assign here_urgent  = writing_q ? wr_urgent : rd_urgent;
  assign other_urgent = writing_q ? rd_urgent : wr_urgent;

  logic few_here, better, full, stuck, urgent, alone, rest;
  assign few_here = here <= policy_i.switch_low;
  assign better   = few_here && (SumWidth'(other) >= SumWidth'(here) + SumWidth'(policy_i.switch_gain)) && (other != '0)
                    && (writing_q || wr_level_i >= policy_i.write_low);
  assign full     = !writing_q && (wr_level_i >= policy_i.write_high) && few_here && (other != '0);
  assign stuck    = (idle_q >= policy_i.switch_idle) && (idle_q != '0) && (other != '0);
  assign urgent   = other_urgent && (!here_urgent || batch_q == 6'(UrgentBatch));
  assign alone    = (here_level == '0) && (other_level != '0);
  assign rest     = writing_q && (here_level == '0) && (other_level == '0);
  assign swap     = force_i ? writing_q != force_wr_i : !stay_i & (better | full | stuck | urgent | alone | rest);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      writing_q <= 1'b0;
      idle_q <= '0;
      batch_q <= '0;
    end else begin
      writing_q <= writing_q ^ swap;
      if (swap || issue_i) idle_q <= '0;
      else if (idle_q != '1) idle_q <= idle_q + 8'd1;
      if (swap) batch_q <= '0;
      else if (issue_i && batch_q != 6'(UrgentBatch)) batch_q <= batch_q + 6'd1;
    end
  end

  assign writing_o = writing_q;
  assign quiet_o   = idle_q >= 8'(QuietCycles);

endmodule
