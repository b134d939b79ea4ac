// Remembers which entry is older than which, and picks the oldest of given sets of entries, urgent ones first (M3.1, M4.2, M5.5).
//
// older_q[e] holds the entries that are older than e. A bit of a freed entry may stay set: sets hold valid entries only.
// A pick is an AND-OR of depth log2(Depth), without comparators. The oldest of the urgent entries and the oldest of all are found side
// by side, and the answer to "is one urgent?" comes last: a class costs two gates of depth.

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

  input  logic [Depth-1:0] first_i      [Picks],  // one-hot or zero: the one that goes before all, if it is in the set
  input  logic [Depth-1:0] urgent_i     [Picks],  // members of the class that goes before the others
  input  logic [Depth-1:0] set_i        [Picks],
  output logic [Depth-1:0] pick_o       [Picks]   // one-hot or zero
);

  typedef logic [Depth-1:0] order_t [Depth];

  order_t older_q;

  always_ff @(posedge clk_i) begin
    if (ins_a_i || ins_b_i) begin
      order_t           older_d;
      logic [Depth-1:0] new_a, new_b;
      new_a = {Depth{ins_a_i}} & slot_a_i;
      new_b = {Depth{ins_b_i}} & slot_b_i;
      for (int unsigned e = 0; e < Depth; e++) begin
        if (new_b[e]) older_d[e] = valid_i | new_a;
        else if (new_a[e]) older_d[e] = valid_i;
        else older_d[e] = older_q[e] & ~new_a & ~new_b;
      end
      older_q <= older_d;
    end
  end

  for (genvar p = 0; p < Picks; p++) begin : g_pick
    logic [Depth-1:0] urgent, first, first_urgent;
    logic             any_urgent, has_first;
    assign has_first = (set_i[p] & first_i[p]) != '0;
    assign urgent = set_i[p] & urgent_i[p];
    assign any_urgent = urgent != '0;
    // No entry asks most of the time: a simulator skips the scan. The conditions are the last gates of the pick.
    always_comb begin
      first = '0;
      if (set_i[p] != '0 && !any_urgent) begin
        for (int unsigned e = 0; e < Depth; e++) first[e] = set_i[p][e] & ~|(set_i[p] & older_q[e]);
      end
    end
    always_comb begin
      first_urgent = '0;
      if (any_urgent) begin
        for (int unsigned e = 0; e < Depth; e++) first_urgent[e] = urgent[e] & ~|(urgent & older_q[e]);
      end
    end
    assign pick_o[p] = has_first ? first_i[p] : first | first_urgent;
  end

`ifndef SYNTHESIS
  logic [Picks-1:0] bad;
  always_comb begin
    for (int unsigned p = 0; p < Picks; p++) bad[p] = (set_i[p] != '0) && !$onehot(pick_o[p]);
  end
  PickIsOneHot_A: assert property (@(posedge clk_i) bad == '0);
`endif

endmodule
