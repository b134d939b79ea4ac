// Remembers which entry is older than which, and picks the oldest of given sets of entries.
//
// older_q[e] holds the entries that are older than e. A bit of a freed entry may stay set: sets hold valid entries only.
// A pick is an AND-OR of depth log2(Depth), without comparators.

module hbm_age_order #(
  /// Entries.
  parameter int unsigned Depth = 32,
  /// Independent picks.
  parameter int unsigned Picks = 1
) (
  input logic clk_i,

  input logic [Depth-1:0] valid_i,
  input logic             ins_a_i,       // one-hot slot_a is filled in this cycle
  input logic [Depth-1:0] slot_a_i,
  input logic             ins_b_i,       // likewise; younger than that of port a
  input logic [Depth-1:0] slot_b_i,

  input  logic [Depth-1:0] set_i  [Picks],
  output logic [Depth-1:0] pick_o [Picks]  // one-hot or zero
);

  logic [Depth-1:0] older_q [Depth];

  always_ff @(posedge clk_i) begin
    if (ins_a_i) begin
      for (int unsigned e = 0; e < Depth; e++) begin
        older_q[e] <= slot_a_i[e] ? valid_i : (older_q[e] & ~slot_a_i);
      end
    end
    if (ins_b_i) begin
      for (int unsigned e = 0; e < Depth; e++) begin
        if (slot_b_i[e]) older_q[e] <= valid_i | ({Depth{ins_a_i}} & slot_a_i);
        else if (ins_a_i && slot_a_i[e]) older_q[e] <= valid_i & ~slot_b_i;
        else older_q[e] <= older_q[e] & ~slot_b_i & ~({Depth{ins_a_i}} & slot_a_i);
      end
    end
  end

  for (genvar p = 0; p < Picks; p++) begin : g_pick
    always_comb begin
      pick_o[p] = '0;
      // No entry asks most of the time: an event-driven simulator skips the scan.
      if (set_i[p] != '0) begin
        for (int unsigned e = 0; e < Depth; e++) pick_o[p][e] = set_i[p][e] & ~|(set_i[p] & older_q[e]);
      end
    end

`ifndef SYNTHESIS
    PickIsOneHot_A: assert property (@(posedge clk_i) (set_i[p] != '0) |-> $onehot(pick_o[p]));
`endif
  end

endmodule
