// Keeps the one entry of a PC that everything else makes way for: it bounds the wait of every request.
//
// Contract: M4.7. A starved entry that waits for nothing is chosen, from the two queues in turn, and stays champion until it is picked.
// What it takes from others is told as flags from flops: its bank is claimed while it has to be opened for it, all other entries stand
// back from the cycle after the first in which it could have gone. The choice does not look at the pick of the same cycle; an entry
// that is picked while it is chosen had its turn.

module hbm_champion
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  rd_vec_t rd_starved_i,
  input  rd_vec_t rd_free_i,      // waits for no other entry
  input  rd_vec_t rd_hit_i,
  input  rd_vec_t rd_of_bank_i [NumBanks],
  output rd_vec_t rd_set_o,       // to choose from; the queue gives the oldest
  input  rd_vec_t rd_oldest_i,
  input  rd_vec_t rd_pick_i,      // column command of this cycle
  input  wr_vec_t wr_starved_i,
  input  wr_vec_t wr_free_i,      // waits for no other entry, and complete
  input  wr_vec_t wr_hit_i,
  input  wr_vec_t wr_of_bank_i [NumBanks],
  output wr_vec_t wr_set_o,
  input  wr_vec_t wr_oldest_i,
  input  wr_vec_t wr_pick_i,

  input  bank_vec_t open_i,
  input  bank_vec_t held_i,

  output rd_vec_t   rd_champion_o,  // one-hot or zero, in both queues together
  output wr_vec_t   wr_champion_o,
  output bank_vec_t claimed_o,      // its bank, while another row or none is open
  output logic      ready_o,        // it hits and its bank is not held: its direction is the next one
  output logic      writing_o,      // its direction
  output logic      served_o        // no other entry may go
);

  rd_vec_t   rd_champion_q;
  wr_vec_t   wr_champion_q;
  bank_vec_t bank, bank_q;   // of the one chosen last, one-hot
  logic      served_q;
  logic      last_wr_q;      // the last one chosen was a write
  logic      hit, picked, none, take, take_wr;

  assign none   = rd_champion_q == '0 && wr_champion_q == '0;
  assign picked = (rd_champion_q & rd_pick_i) != '0 || (wr_champion_q & wr_pick_i) != '0;

  // ---------------------------------------------------------------- the next one
  assign rd_set_o = rd_starved_i & rd_free_i & ~rd_champion_q;
  assign wr_set_o = wr_starved_i & wr_free_i & ~wr_champion_q;
  assign take_wr  = (wr_set_o != '0) && (!last_wr_q || rd_set_o == '0);
  assign take     = (none || picked) && (rd_set_o != '0 || wr_set_o != '0);

  rd_vec_t rd_chosen, rd_champion_d;
  wr_vec_t wr_chosen, wr_champion_d;
  assign rd_chosen = take_wr ? '0 : rd_oldest_i;
  assign wr_chosen = take_wr ? wr_oldest_i : '0;
  assign rd_champion_d = (take ? rd_chosen : rd_champion_q) & ~rd_pick_i;
  assign wr_champion_d = (take ? wr_chosen : wr_champion_q) & ~wr_pick_i;

  for (genvar b = 0; b < NumBanks; b++) begin : g_bank
    assign bank[b] = (rd_chosen & rd_of_bank_i[b]) != '0 || (wr_chosen & wr_of_bank_i[b]) != '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_champion_q <= '0;
      wr_champion_q <= '0;
      bank_q <= '0;
      served_q <= 1'b0;
      last_wr_q <= 1'b1;
    end else begin
      rd_champion_q <= rd_champion_d;
      wr_champion_q <= wr_champion_d;
      if (take) bank_q <= bank;
      served_q <= ready_o && !picked;
      if (take) last_wr_q <= take_wr;
    end
  end

  // ---------------------------------------------------------------- what it takes
  assign hit = (bank_q & open_i) != '0 && ((rd_champion_q & rd_hit_i) != '0 || (wr_champion_q & wr_hit_i) != '0);

  assign rd_champion_o = rd_champion_q;
  assign wr_champion_o = wr_champion_q;
  assign claimed_o     = (hit || none) ? '0 : bank_q;
  assign ready_o       = hit && (bank_q & held_i) == '0;
  assign writing_o     = wr_champion_q != '0;
  assign served_o      = served_q;

`ifndef SYNTHESIS
  OneChampion_A: assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0({rd_champion_q, wr_champion_q}));
  ChampionHasABank_A: assert property (@(posedge clk_i) disable iff (!rst_ni) none || $onehot(bank_q));
  ServedWasReady_A: assert property (@(posedge clk_i) disable iff (!rst_ni) served_q |-> $past(ready_o) && !none);
  ServedGoesAlone_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    served_q |-> ((rd_pick_i & ~rd_champion_q) == '0 && (wr_pick_i & ~wr_champion_q) == '0));
  ClaimedIsLeftAlone_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    claimed_o != '0 |-> !picked);
  StaysUntilPicked_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    !none && !picked |=> $stable(rd_champion_q) && $stable(wr_champion_q));
  StarvedAndFree_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    (rd_champion_q & ~(rd_starved_i & rd_free_i)) == '0 && (wr_champion_q & ~(wr_starved_i & wr_free_i)) == '0);
`endif

endmodule
