// Chooses the column command of one PC: which entries may go, and whether the row closes.
//
// Contract: M4.1, M4.2, M4.3, M4.7. The queues themselves give the champion or oldest urgent one of the sets offered here, else the
// oldest.

module hbm_col_select
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic writing_i,  // direction served

  input bank_vec_t  rd_bank_ok_i,    // bank, group, SID
  input bank_vec_t  wr_bank_ok_i,
  input logic       rd_ok_i,         // PC timers and data path
  input logic       wr_ok_i,
  input bank_vec_t  masked_i,        // closed, held for a refresh, or claimed: no column command
  input bank_vec_t  urgent_only_i,   // an urgent conflict waits: urgent hits only
  input bank_vec_t  rd_close_i,      // a read to this bank shall and may close it
  input bank_vec_t  wr_close_i,

  input rd_vec_t rd_ready_i,   // hits where the bank is open, waits for nothing
  input rd_vec_t rd_urgent_i,
  input rd_vec_t rd_of_bank_i [NumBanks],
  input wr_vec_t wr_ready_i,
  input wr_vec_t wr_urgent_i,
  input wr_vec_t wr_of_bank_i [NumBanks],
  input rd_vec_t rd_champion_i,
  input wr_vec_t wr_champion_i,
  input logic    served_i,       // no other entry than the champion may go

  // Open hits for the choice of direction: timers not counted.
  output rd_vec_t rd_open_o,
  output wr_vec_t wr_open_o,

  output rd_vec_t rd_set_o,
  input  rd_vec_t rd_pick_i,
  output wr_vec_t wr_set_o,
  input  wr_vec_t wr_pick_i,

  output bank_vec_t rd_bank_o,  // bank of the pick, one-hot
  output bank_vec_t wr_bank_o,
  output logic      any_rd_o,   // a read is picked
  output logic      any_wr_o,
  output bank_vec_t close_o     // bank of the pick, if it carries auto-precharge
);

  // Entries of banks that take columns, and of those without an urgent conflict; what the timers of the bank allow comes beside it, so
  // that the sets are one AND-OR over the banks deep.
  rd_vec_t rd_unmasked, rd_calm, rd_timed;
  wr_vec_t wr_unmasked, wr_calm, wr_timed;

  always_comb begin
    rd_unmasked = '0;
    rd_calm = '0;
    rd_timed = '0;
    if (rd_ready_i != '0) begin
      for (int unsigned b = 0; b < NumBanks; b++) begin
        rd_unmasked |= rd_of_bank_i[b] & {RdEntries{~masked_i[b]}};
        rd_calm |= rd_of_bank_i[b] & {RdEntries{~urgent_only_i[b]}};
      end
      if (!writing_i) begin
        for (int unsigned b = 0; b < NumBanks; b++) rd_timed |= rd_of_bank_i[b] & {RdEntries{rd_bank_ok_i[b]}};
      end
    end
  end

  always_comb begin
    wr_unmasked = '0;
    wr_calm = '0;
    wr_timed = '0;
    if (wr_ready_i != '0) begin
      for (int unsigned b = 0; b < NumBanks; b++) begin
        wr_unmasked |= wr_of_bank_i[b] & {WrDepth{~masked_i[b]}};
        wr_calm |= wr_of_bank_i[b] & {WrDepth{~urgent_only_i[b]}};
      end
      if (writing_i) begin
        for (int unsigned b = 0; b < NumBanks; b++) wr_timed |= wr_of_bank_i[b] & {WrDepth{wr_bank_ok_i[b]}};
      end
    end
  end

  assign rd_open_o = rd_ready_i & rd_unmasked & (rd_calm | rd_urgent_i) & (rd_champion_i | {RdEntries{!served_i}});
  assign wr_open_o = wr_ready_i & wr_unmasked & (wr_calm | wr_urgent_i) & (wr_champion_i | {WrDepth{!served_i}});
  assign rd_set_o  = rd_open_o & rd_timed & {RdEntries{rd_ok_i}};
  assign wr_set_o  = wr_open_o & wr_timed & {WrDepth{wr_ok_i}};

  // A set that is not empty gives a pick.
  assign any_rd_o = rd_set_o != '0;
  assign any_wr_o = wr_set_o != '0;

  always_comb begin
    rd_bank_o = '0;
    wr_bank_o = '0;
    if (any_rd_o) begin
      for (int unsigned b = 0; b < NumBanks; b++) rd_bank_o[b] = (rd_pick_i & rd_of_bank_i[b]) != '0;
    end
    if (any_wr_o) begin
      for (int unsigned b = 0; b < NumBanks; b++) wr_bank_o[b] = (wr_pick_i & wr_of_bank_i[b]) != '0;
    end
  end

  assign close_o = (rd_bank_o & rd_close_i) | (wr_bank_o & wr_close_i);

endmodule
