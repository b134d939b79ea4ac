// Gives a write credit back one cycle after the pick that freed the entry (M3.1).

module hbm_credit_return (
  input logic clk_i,
  input logic rst_ni,

  input  logic free_i,
  output logic credit_o
);

  logic credit_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) credit_q <= 1'b0;
    else credit_q <= free_i;
  end

  assign credit_o = credit_q;

endmodule
