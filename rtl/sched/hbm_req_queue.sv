// Holds the requests of one direction with their order, age class, bank, row hit.
//
// Enforces: otherRow.
//
// Contract: M3.1 (visible one cycle after the offer), M3.4 (row hit), M4.2 (the champion, then urgent before not urgent, then by age),
// M4.5 (age class).
//
// Entries: HostDepth for port a, ReservedDepth for port b (read-modify-write), the rest for port a when its own are full (express lane,
// M3.1).
// Slot numbers have no effect outside.

module hbm_req_queue
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Entries, the reserved ones included.
  parameter int unsigned Depth = 32,
  /// Entries of port a.
  parameter int unsigned HostDepth = 32,
  /// Entries of port b, above them.
  parameter int unsigned ReservedDepth = 0,
  /// Bits of the tag that an entry carries, at least 1.
  parameter int unsigned TagWidth = 1,
  /// Address comparators (one per request that may be enqueued in a cycle and must look here).
  parameter int unsigned Cams = 1
) (
  input logic clk_i,
  input logic rst_ni,

  // Port a: from the host. Port b: into a reserved entry; counts as younger than a of the same cycle.
  input  logic                ins_a_i,       // only while space_a_o, of the express lane while space_x_o
  input  logic                keep_a_i,      // 0: the entry is written and yet not used (a forwarded read, M3.6); late
  input  loc_t                loc_a_i,
  input  logic [TagWidth-1:0] tag_a_i,
  input  logic                aged_a_i,      // age class that the entry starts with
  input  logic                high_a_i,      // urgent from the start
  output logic [Depth-1:0]    slot_a_o,
  output logic                space_a_o,
  output logic                space_x_o,
  input  logic                ins_b_i,       // only while space_b_o
  input  loc_t                loc_b_i,
  input  logic [TagWidth-1:0] tag_b_i,
  input  logic                aged_b_i,
  input  logic                starved_b_i,
  input  logic                urgent_b_i,
  output logic [Depth-1:0]    slot_b_o,
  output logic                space_b_o,

  // The entry that issues its column command in this cycle.
  input logic [Depth-1:0] issue_i,

  // Row state, and what changes it in this cycle.
  input logic [RowWidth-1:0] rows_i [NumBanks],
  input bank_vec_t           act_bank_i,  // bank and row of the ACT that may be granted; zero without one
  input logic [RowWidth-1:0] act_row_i,
  input logic                act_gnt_i,   // late

  input logic age_tick_i,  // end of an age interval

  // Address comparison at enqueue.
  input  loc_t             cam_loc_i   [Cams],
  output logic [Depth-1:0] cam_match_o [Cams],

  output logic [Depth-1:0] valid_o,
  output logic [Depth-1:0] hit_o,     // its row is the last one opened in its bank: a hit where the bank is open
  output logic [Depth-1:0] aged_o,
  output logic [Depth-1:0] starved_o,
  output logic [Depth-1:0] urgent_o,  // starved or high
  output logic [Depth-1:0] of_bank_o [NumBanks],
  // What the next cycle will show.
  output logic [Depth-1:0] next_urgent_o,  // the entries of this cycle that are urgent then
  output logic [Depth-1:0] act_wait_o,     // entries of the bank of the ACT ...
  output logic [Depth-1:0] act_match_o,    // ... of its row
  output logic             hit_a_o,        // the entries that are new hit an open bank
  output logic             hit_b_o,
  output logic [LevelWidth-1:0] level_o,

  // The champion, if a set has it, else its oldest urgent entry, else the oldest (aux, turn: the oldest). The column pick gives the entry's
  // fields, the others its place.
  input  logic [Depth-1:0]    champion_i,     // one-hot or zero
  input  logic [Depth-1:0]    col_set_i,
  output logic [Depth-1:0]    col_pick_o,
  output loc_t                col_loc_o,
  output logic [TagWidth-1:0] col_tag_o,
  input  logic [Depth-1:0]    act_set_i,
  output loc_t                act_loc_o,
  output logic                act_any_o,     // the set is not empty
  output logic                act_urgent_o,  // an urgent entry is in it
  output logic                act_champion_o, // the champion is
  input  logic [Depth-1:0]    pre_set_i,
  output logic [BankWidth-1:0] pre_bank_o,
  output logic                pre_any_o,
  output logic                pre_urgent_o,
  output logic                pre_champion_o,
  input  logic [Depth-1:0]    aux_set_i,
  output logic [Depth-1:0]    aux_pick_o,
  output loc_t                aux_loc_o,
  input  logic [Depth-1:0]    turn_set_i,
  output logic [Depth-1:0]    turn_pick_o
);

  localparam int unsigned IdxWidth = $clog2(Depth);
  localparam logic [Depth-1:0] HostMask = Depth'({HostDepth{1'b1}});
  localparam logic [Depth-1:0] ReservedMask = Depth'({(HostDepth + ReservedDepth){1'b1}}) & ~HostMask;

  logic [Depth-1:0]    valid_q, hit_q, aged_q, starved_q, urgent_q;
  typedef logic [Depth-1:0] of_bank_t [NumBanks];

  of_bank_t            of_bank_q;
  loc_t                loc_q [Depth];
  logic [TagWidth-1:0] tag_q [Depth];
  logic [LevelWidth-1:0] level_q;

  // ---------------------------------------------------------------- free slots: the lowest of each part
  logic [Depth-1:0] free_a, free_b;
  assign free_a    = ~valid_q & ~ReservedMask;  // the lowest one is a host entry, if there is one
  assign free_b    = ~valid_q & ReservedMask;
  assign slot_a_o  = free_a & -free_a;
  assign slot_b_o  = free_b & -free_b;
  assign space_a_o = (free_a & HostMask) != '0;
  assign space_x_o = free_a != '0;
  assign space_b_o = free_b != '0;

  // ---------------------------------------------------------------- row hit
  // A row that closes leaves the bits of its bank as they are; every user asks for an open bank, and ACT sets them anew.
  function automatic logic hits(input logic [BankWidth-1:0] bank, input logic [RowWidth-1:0] row);
    return (act_gnt_i && act_bank_i[bank]) ? row == act_row_i : row == rows_i[bank];
  endfunction

  function automatic logic [IdxWidth-1:0] index_of(input logic [Depth-1:0] onehot);
    logic [IdxWidth-1:0] idx;
    idx = '0;
    for (int unsigned i = 0; i < IdxWidth; i++) begin
      for (int unsigned e = 0; e < Depth; e++) if (((e >> i) & 1) != 0) idx[i] |= onehot[e];
    end
    return idx;
  endfunction

  logic [Depth-1:0] hit_d, act_mask, row_match;
  always_comb begin
    act_mask = '0;
    row_match = '0;
    if (act_bank_i != '0) begin
      for (int unsigned b = 0; b < NumBanks; b++) act_mask |= of_bank_q[b] & {Depth{act_bank_i[b]}};
      for (int unsigned e = 0; e < Depth; e++) row_match[e] = loc_q[e].row == act_row_i;
    end
    hit_d = act_gnt_i ? ((hit_q & ~act_mask) | (act_mask & row_match)) : hit_q;
    hit_a_o = 1'b0;
    hit_b_o = 1'b0;
    if (ins_a_i) begin
      hit_a_o = hits(loc_a_i.bank, loc_a_i.row);
      hit_d = (hit_d & ~slot_a_o) | ({Depth{hit_a_o}} & slot_a_o);
    end
    if (ins_b_i) begin
      hit_b_o = hits(loc_b_i.bank, loc_b_i.row);
      hit_d = (hit_d & ~slot_b_o) | ({Depth{hit_b_o}} & slot_b_o);
    end
  end

  assign act_wait_o    = act_mask & valid_q;
  assign act_match_o   = act_mask & row_match & valid_q;
  assign next_urgent_o = (urgent_q | ({Depth{age_tick_i}} & aged_q)) & valid_q;

  // ---------------------------------------------------------------- entries
  logic [Depth-1:0] new_a, new_b;
  assign new_a = {Depth{ins_a_i}} & slot_a_o;
  assign new_b = {Depth{ins_b_i}} & slot_b_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      level_q <= '0;
    end else begin
      valid_q <= (valid_q & ~issue_i) | (new_a & {Depth{keep_a_i}}) | new_b;
      level_q <= level_q + LevelWidth'(ins_a_i & keep_a_i) + LevelWidth'(ins_b_i) - LevelWidth'(issue_i != '0);
    end
  end

  always_ff @(posedge clk_i) begin
    hit_q <= hit_d;
    aged_q <= ((aged_q | {Depth{age_tick_i}}) & ~new_a & ~new_b) | ({Depth{aged_a_i}} & new_a) | ({Depth{aged_b_i}} & new_b);
    starved_q <= ((starved_q | ({Depth{age_tick_i}} & aged_q)) & ~new_a & ~new_b) | ({Depth{starved_b_i}} & new_b);
    urgent_q <= ((urgent_q | ({Depth{age_tick_i}} & aged_q)) & ~new_a & ~new_b) | ({Depth{high_a_i}} & new_a)
                | ({Depth{urgent_b_i}} & new_b);
    if (!SkipQuiet || ins_a_i || ins_b_i || issue_i != '0) begin
      of_bank_t of_bank_d;
      for (int unsigned b = 0; b < NumBanks; b++) begin
        of_bank_d[b] = (of_bank_q[b] & ~issue_i & ~new_a & ~new_b)
                       | ({Depth{loc_a_i.bank == BankWidth'(b)}} & new_a) | ({Depth{loc_b_i.bank == BankWidth'(b)}} & new_b);
      end
      of_bank_q <= of_bank_d;
    end
    if (ins_a_i) begin
      loc_q[index_of(slot_a_o)] <= loc_a_i;
      tag_q[index_of(slot_a_o)] <= tag_a_i;
    end
    if (ins_b_i) begin
      loc_q[index_of(slot_b_o)] <= loc_b_i;
      tag_q[index_of(slot_b_o)] <= tag_b_i;
    end
  end

  // of_bank_q is not reset: masked with valid, and made exact for a slot when it is filled.
  for (genvar b = 0; b < NumBanks; b++) begin : g_of_bank
    assign of_bank_o[b] = of_bank_q[b] & valid_q;
  end

  assign valid_o  = valid_q;
  assign hit_o    = hit_q & valid_q;
  assign aged_o   = aged_q & valid_q;
  assign starved_o = starved_q & valid_q;
  assign urgent_o = urgent_q & valid_q;
  assign level_o  = level_q;

  for (genvar c = 0; c < Cams; c++) begin : g_cam
    always_comb begin
      for (int unsigned e = 0; e < Depth; e++) cam_match_o[c][e] = valid_q[e] & (loc_q[e] == cam_loc_i[c]);
    end
  end

  // ---------------------------------------------------------------- oldest of a set
  logic [Depth-1:0] set [5];
  logic [Depth-1:0] class_of [5];
  logic [Depth-1:0] first [5];
  logic [Depth-1:0] pick [5];
  assign set[0] = col_set_i;
  assign set[1] = act_set_i;
  assign set[2] = pre_set_i;
  assign set[3] = aux_set_i;
  assign set[4] = turn_set_i;
  assign class_of = '{urgent_q, urgent_q, urgent_q, '0, '0};
  assign first = '{champion_i, champion_i, champion_i, '0, '0};

  hbm_age_order #(.Depth(Depth), .Picks(5)) u_age_order (
    .clk_i, .valid_i(valid_q), .ins_a_i, .slot_a_i(slot_a_o), .ins_b_i, .slot_b_i(slot_b_o), .urgent_i(class_of),
    .first_i(first), .set_i(set), .pick_o(pick)
  );

  // Fields of a one-hot pick: AND-OR, as deep as log2(Depth).
  always_comb begin
    col_loc_o = '0;
    col_tag_o = '0;
    if (col_set_i != '0) begin
      for (int unsigned e = 0; e < Depth; e++) begin
        col_loc_o |= loc_q[e] & {$bits(loc_t){pick[0][e]}};
        col_tag_o |= tag_q[e] & {TagWidth{pick[0][e]}};
      end
    end
    act_loc_o = '0;
    if (act_set_i != '0) begin
      for (int unsigned e = 0; e < Depth; e++) act_loc_o |= loc_q[e] & {$bits(loc_t){pick[1][e]}};
    end
    pre_bank_o = '0;
    if (pre_set_i != '0) begin
      for (int unsigned e = 0; e < Depth; e++) pre_bank_o |= loc_q[e].bank & {BankWidth{pick[2][e]}};
    end
  end

  assign col_pick_o   = pick[0];
  assign act_any_o    = act_set_i != '0;
  assign act_urgent_o = (act_set_i & urgent_q) != '0;
  assign act_champion_o = (act_set_i & champion_i) != '0;
  assign pre_any_o    = pre_set_i != '0;
  assign pre_urgent_o = (pre_set_i & urgent_q) != '0;
  assign pre_champion_o = (pre_set_i & champion_i) != '0;
  assign turn_pick_o  = pick[4];
  assign aux_pick_o   = pick[3];
  assign aux_loc_o    = loc_q[index_of(pick[3])];

`ifndef SYNTHESIS
  NoInsertWhenFull_A: assert property (@(posedge clk_i) disable iff (!rst_ni) ins_a_i |-> space_x_o);
  NoReservedInsertWhenFull_A: assert property (@(posedge clk_i) disable iff (!rst_ni) ins_b_i |-> space_b_o);
  IssueOnlyValid_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (issue_i & ~valid_q) == '0);
`endif

endmodule
