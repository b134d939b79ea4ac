// Chooses between the express and the normal lane at one stage of the read path: express first, yet one normal request after ExpressRun
// express ones that passed while a normal one was there (M2.10).

module hbm_lane_turn
  import hbm_host_pkg::*;
(
  input  logic clk_i,
  input  logic rst_ni,

  input  logic express_i,       // an express request can pass
  input  logic normal_i,        // a normal request can pass
  input  logic normal_there_i,  // a normal request is there, able to pass or not
  output logic express_o,       // passes
  output logic normal_o
);

  localparam int unsigned CountWidth = $clog2(ExpressRun + 1);

  logic [CountWidth-1:0] run_q;
  logic                  turn;   // of the normal lane

  assign turn = run_q == CountWidth'(ExpressRun);
  assign normal_o = normal_i && (turn || !express_i);
  assign express_o = express_i && !(turn && normal_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) run_q <= '0;
    else if (normal_o) run_q <= '0;
    else if (express_o && normal_there_i && !turn) run_q <= run_q + CountWidth'(1);
  end

endmodule
