// Keeps requests to the same 32 bytes in order: which entry waits for which.
//
// Contract: M3.2. A bit is set at enqueue from the address comparison of the queues and cleared when the older entry issues its
// column command. An entry that issues in the very cycle of the enqueue is not waited for.

module hbm_hazard
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic    rd_ins_i,
  input rd_vec_t rd_slot_i,     // one-hot
  input wr_vec_t rd_match_wr_i, // queued writes to the bytes of the new read
  input logic    wr_ins_i,
  input wr_vec_t wr_slot_i,     // one-hot
  input rd_vec_t wr_match_rd_i, // queued reads of the bytes of the new write
  input wr_vec_t wr_match_wr_i,
  input logic    same_i,        // new read and new write of this cycle have the same bytes: the write is older

  input rd_vec_t rd_issue_i,
  input wr_vec_t wr_issue_i,
  input rd_vec_t rd_urgent_i,   // in the next cycle
  input wr_vec_t wr_urgent_i,
  input wr_vec_t wr_started_i,  // able in the next cycle if it waits for nothing

  output logic    rd_ins_free_o,    // the new read will wait for nothing
  output logic    wr_ins_free_o,
  // Entries whose pick makes another one, or an urgent one, able. Known before the pick is.
  output rd_vec_t rd_frees_o,
  output rd_vec_t rd_frees_urgent_o,
  output wr_vec_t wr_frees_o,
  output wr_vec_t wr_frees_urgent_o,
  output rd_vec_t rd_free_o,        // waits for nothing
  output wr_vec_t wr_free_o,
  output wr_vec_t wr_free_of_wr_o   // waits for no write
);

  typedef wr_vec_t rd_on_wr_t [RdEntries];
  typedef rd_vec_t wr_on_rd_t [WrDepth];
  typedef wr_vec_t wr_on_wr_t [WrDepth];

  rd_on_wr_t rd_on_wr_q;
  wr_on_rd_t wr_on_rd_q;
  wr_on_wr_t wr_on_wr_q;

  // Most entries wait for nothing; the summary bits let a quiet cycle leave the vectors alone.
  rd_vec_t rd_waits_q, rd_waits_d;
  wr_vec_t wr_waits_rd_q, wr_waits_rd_d, wr_waits_wr_q, wr_waits_wr_d;

  wr_vec_t rd_new, wr_new_wr;
  rd_vec_t wr_new_rd;
  assign rd_new    = (rd_match_wr_i & ~wr_issue_i) | ({WrDepth{same_i & wr_ins_i}} & wr_slot_i);
  assign wr_new_rd = wr_match_rd_i & ~rd_issue_i;
  assign wr_new_wr = wr_match_wr_i & ~wr_issue_i;

  always_comb begin
    rd_waits_d = rd_waits_q;
    wr_waits_rd_d = wr_waits_rd_q;
    wr_waits_wr_d = wr_waits_wr_q;
    if (!SkipQuiet || wr_issue_i != '0) begin
      if (!SkipQuiet || rd_waits_q != '0) begin
        for (int unsigned e = 0; e < RdEntries; e++) rd_waits_d[e] = |(rd_on_wr_q[e] & ~wr_issue_i);
      end
      if (!SkipQuiet || wr_waits_wr_q != '0) begin
        for (int unsigned e = 0; e < WrDepth; e++) wr_waits_wr_d[e] = |(wr_on_wr_q[e] & ~wr_issue_i);
      end
    end
    if (!SkipQuiet || (rd_issue_i != '0 && wr_waits_rd_q != '0)) begin
      for (int unsigned e = 0; e < WrDepth; e++) wr_waits_rd_d[e] = |(wr_on_rd_q[e] & ~rd_issue_i);
    end
    if (rd_ins_i) rd_waits_d |= {RdEntries{|rd_new}} & rd_slot_i;
    if (wr_ins_i) begin
      wr_waits_rd_d |= {WrDepth{|wr_new_rd}} & wr_slot_i;
      wr_waits_wr_d |= {WrDepth{|wr_new_wr}} & wr_slot_i;
    end
  end

  // An entry issues only when its vectors are zero, so a free slot always starts from zero.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_waits_q <= '0;
      wr_waits_rd_q <= '0;
      wr_waits_wr_q <= '0;
      rd_on_wr_q <= '{default: '0};
      wr_on_rd_q <= '{default: '0};
      wr_on_wr_q <= '{default: '0};
    end else begin
      rd_waits_q <= rd_waits_d;
      wr_waits_rd_q <= wr_waits_rd_d;
      wr_waits_wr_q <= wr_waits_wr_d;
      if (!SkipQuiet || (rd_ins_i && rd_new != '0) || (wr_issue_i != '0 && rd_waits_q != '0)) begin
        rd_on_wr_t next;
        for (int unsigned e = 0; e < RdEntries; e++) begin
          next[e] = (rd_on_wr_q[e] & ~wr_issue_i) | ({WrDepth{rd_ins_i & rd_slot_i[e]}} & rd_new);
        end
        rd_on_wr_q <= next;
      end
      if (!SkipQuiet || (wr_ins_i && wr_new_rd != '0) || (rd_issue_i != '0 && wr_waits_rd_q != '0)) begin
        wr_on_rd_t next;
        for (int unsigned e = 0; e < WrDepth; e++) begin
          next[e] = (wr_on_rd_q[e] & ~rd_issue_i) | ({RdEntries{wr_ins_i & wr_slot_i[e]}} & wr_new_rd);
        end
        wr_on_rd_q <= next;
      end
      if (!SkipQuiet || (wr_ins_i && wr_new_wr != '0) || (wr_issue_i != '0 && wr_waits_wr_q != '0)) begin
        wr_on_wr_t next;
        for (int unsigned e = 0; e < WrDepth; e++) begin
          next[e] = (wr_on_wr_q[e] & ~wr_issue_i) | ({WrDepth{wr_ins_i & wr_slot_i[e]}} & wr_new_wr);
        end
        wr_on_wr_q <= next;
      end
    end
  end

  assign rd_ins_free_o = rd_new == '0;
  assign wr_ins_free_o = wr_new_rd == '0 && wr_new_wr == '0;

  // Who waits for exactly one entry is freed by its pick.
  rd_vec_t rd_last;                  // waits for one write
  wr_vec_t wr_last_rd, wr_last_wr;   // waits for one read only, one write only
  always_comb begin
    rd_last = '0;
    wr_last_rd = '0;
    wr_last_wr = '0;
    rd_frees_o = '0;
    rd_frees_urgent_o = '0;
    wr_frees_o = '0;
    wr_frees_urgent_o = '0;
    if (rd_waits_q != '0) begin
      for (int unsigned e = 0; e < RdEntries; e++) begin
        rd_last[e] = rd_waits_q[e] & ((rd_on_wr_q[e] & (rd_on_wr_q[e] - 1'b1)) == '0);
        wr_frees_o |= rd_on_wr_q[e] & {WrDepth{rd_last[e]}};
        wr_frees_urgent_o |= rd_on_wr_q[e] & {WrDepth{rd_last[e] & rd_urgent_i[e]}};
      end
    end
    if ((wr_waits_rd_q | wr_waits_wr_q) != '0) begin
      for (int unsigned e = 0; e < WrDepth; e++) begin
        wr_last_rd[e] = ~wr_waits_wr_q[e] & wr_started_i[e] & ((wr_on_rd_q[e] & (wr_on_rd_q[e] - 1'b1)) == '0);
        wr_last_wr[e] = ~wr_waits_rd_q[e] & wr_started_i[e] & ((wr_on_wr_q[e] & (wr_on_wr_q[e] - 1'b1)) == '0);
        rd_frees_o |= wr_on_rd_q[e] & {RdEntries{wr_last_rd[e]}};
        rd_frees_urgent_o |= wr_on_rd_q[e] & {RdEntries{wr_last_rd[e] & wr_urgent_i[e]}};
        wr_frees_o |= wr_on_wr_q[e] & {WrDepth{wr_last_wr[e]}};
        wr_frees_urgent_o |= wr_on_wr_q[e] & {WrDepth{wr_last_wr[e] & wr_urgent_i[e]}};
      end
    end
  end

  assign rd_free_o       = ~rd_waits_q;
  assign wr_free_o       = ~wr_waits_rd_q & ~wr_waits_wr_q;
  assign wr_free_of_wr_o = ~wr_waits_wr_q;

`ifndef SYNTHESIS
  ReadIssuesFree_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (rd_issue_i & rd_waits_q) == '0);
  WriteIssuesFree_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (wr_issue_i & (wr_waits_rd_q | wr_waits_wr_q)) == '0);
`endif

endmodule
