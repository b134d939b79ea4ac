// Sums up, bank by bank, what the queues want: hits, lone hits, conflicts, urgent conflicts.
//
// Contract: M3.4, M4.5, M5.2. Only entries that could use an open row speak for it ("able"): one that waits for another entry, or for
// a reserved read entry, would keep a row that nobody can use. Masking a bank's "not urgent" hits masks hits that are younger than its
// urgent conflict, or of a lower class (AxQOS); what is masked for long becomes champion (M4.7).

module hbm_bank_demand
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input bank_vec_t open_i,

  input rd_vec_t rd_able_i,
  input rd_vec_t rd_hit_i,
  input rd_vec_t rd_urgent_i,
  input rd_vec_t rd_of_bank_i [NumBanks],
  input wr_vec_t wr_able_i,
  input wr_vec_t wr_hit_i,
  input wr_vec_t wr_urgent_i,
  input wr_vec_t wr_of_bank_i [NumBanks],

  output demand_t demand_o
);

  logic any_urgent;
  assign any_urgent = (rd_urgent_i != '0) || (wr_urgent_i != '0);

  for (genvar b = 0; b < NumBanks; b++) begin : g_bank
    rd_vec_t rd_hit, rd_miss, rd_keep;
    wr_vec_t wr_hit, wr_miss, wr_keep;
    logic    any_keep, urgent_keep;
    assign rd_hit  = rd_of_bank_i[b] & rd_hit_i & {RdEntries{open_i[b]}};
    assign wr_hit  = wr_of_bank_i[b] & wr_hit_i & {WrDepth{open_i[b]}};
    assign rd_miss = rd_of_bank_i[b] & rd_able_i & ~rd_hit_i;
    assign wr_miss = wr_of_bank_i[b] & wr_able_i & ~wr_hit_i;
    assign rd_keep = rd_hit & rd_able_i;
    assign wr_keep = wr_hit & wr_able_i;

    assign any_keep    = rd_keep != '0 || wr_keep != '0;
    assign urgent_keep = any_urgent && ((rd_keep & rd_urgent_i) != '0 || (wr_keep & wr_urgent_i) != '0);

    assign demand_o.queued[b]   = rd_of_bank_i[b] != '0 || wr_of_bank_i[b] != '0;
    assign demand_o.hit[b]      = rd_hit != '0 || wr_hit != '0;
    assign demand_o.lone_hit[b] = ((rd_hit & (rd_hit - 1'b1)) == '0) && ((wr_hit & (wr_hit - 1'b1)) == '0)
                                  && ((rd_hit != '0) != (wr_hit != '0));
    assign demand_o.conflict[b] = open_i[b] && (rd_miss != '0 || wr_miss != '0);
    assign demand_o.urgent_conflict[b] = any_urgent && open_i[b]
                                         && ((rd_miss & rd_urgent_i) != '0 || (wr_miss & wr_urgent_i) != '0);
    assign demand_o.keep_open[b] = demand_o.urgent_conflict[b] ? urgent_keep : any_keep;
  end

endmodule
