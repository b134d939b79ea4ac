// Holds off ACT and refresh of each bank after whatever closed or refreshed it last: PRE, REFSB, auto-precharge (M1.5).
//
// Convention as in hbm_gap_timer. One event at a time, each expiring later than the one before, so one count per bank serves all:
// PRE and ACT come only after a refresh has passed, a refresh only after a precharge. The short row command and the column command of a
// cycle may start the counts of two different banks.

module hbm_idle_timer
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Offset of the column commands, 0 or 1.
  parameter logic [1:0] ColOffset = 2'd0,
  /// What a PRE is later than its slot.
  parameter logic [1:0] PreDelay = 2'd0
) (
  input logic clk_i,
  input logic rst_ni,

  // CK after PRE, REFSB, RDA, WRA, from slot A or phase 0 on.
  input logic [11:0] pre_gap_i,
  input logic [11:0] refsb_gap_i,
  input logic [11:0] rda_gap_i,
  input logic [11:0] wra_gap_i,
  input bank_vec_t   pre_i,         // closed by a short row command of this cycle
  input bank_vec_t   refsb_i,
  input bank_vec_t   rda_i,         // closed by the column command of this cycle
  input bank_vec_t   wra_i,
  input logic        late_i,        // the short row command stands in slot B

  output bank_vec_t ok0_o,
  output bank_vec_t ok1_o,
  output bank_vec_t next1_o
);

  typedef logic [11:0] counts_t [NumBanks];

  counts_t     count_q;
  bank_vec_t   ok0_q, ok1_q, next1_q;

  // A count to load, and the flags that go with it.
  typedef struct packed {
    logic [11:0] count;
    logic        ok0;
    logic        ok1;
    logic        next1;
  } load_t;

  function automatic load_t load_of(input logic [11:0] gap, input logic [1:0] offset);
    logic [12:0] sum;
    load_t       load;
    sum = {1'b0, gap} + 13'(offset);
    load.count = (sum > 13'd2) ? 12'(sum - 13'd2) : '0;
    load.ok0   = load.count == '0;
    load.ok1   = load.count <= 12'd1;
    load.next1 = load.count <= 12'd3;
    return load;
  endfunction

  // Commands come late in the cycle: the sums that they choose from are ready by then.
  load_t pre_load, refsb_load, rda_load, wra_load;
  assign pre_load   = late_i ? load_of(pre_gap_i, 2'd1 + PreDelay) : load_of(pre_gap_i, PreDelay);
  assign refsb_load = late_i ? load_of(refsb_gap_i, 2'd1) : load_of(refsb_gap_i, 2'd0);
  assign rda_load   = load_of(rda_gap_i, ColOffset);
  assign wra_load   = load_of(wra_gap_i, ColOffset);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '{default: '0};
      ok0_q <= '1;
      ok1_q <= '1;
      next1_q <= '1;
    end else if (!SkipQuiet || pre_i != '0 || refsb_i != '0 || (rda_i | wra_i) != '0 || ok0_q != '1) begin
      counts_t   count_d;
      bank_vec_t ok0_d, ok1_d, next1_d;
      for (int unsigned b = 0; b < NumBanks; b++) begin
        load_t run;
        run = '{
          count: (count_q[b] > 12'd2) ? count_q[b] - 12'd2 : '0,
          ok0: count_q[b] <= 12'd2, ok1: count_q[b] <= 12'd3, next1: count_q[b] <= 12'd5
        };
        if (pre_i[b]) run = pre_load;
        else if (refsb_i[b]) run = refsb_load;
        else if (rda_i[b]) run = rda_load;
        else if (wra_i[b]) run = wra_load;
        count_d[b] = run.count;
        ok0_d[b] = run.ok0;
        ok1_d[b] = run.ok1;
        next1_d[b] = run.next1;
      end
      count_q <= count_d;
      ok0_q <= ok0_d;
      ok1_q <= ok1_d;
      next1_q <= next1_d;
    end
  end

  assign ok0_o   = ok0_q;
  assign ok1_o   = ok1_q;
  assign next1_o = next1_q;

endmodule
