// Beats once every `starve_limit` cycles; entries that saw two beats are urgent (M4.5).

module hbm_age_tick (
  input logic clk_i,
  input logic rst_ni,

  input  logic [11:0] limit_i,  // cycles; 0: never
  output logic        tick_o
);

  logic [11:0] count_q;

  assign tick_o = (limit_i != '0) && (count_q >= limit_i - 12'd1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else if (tick_o || limit_i == '0) count_q <= '0;
    else count_q <= count_q + 12'd1;
  end

endmodule
