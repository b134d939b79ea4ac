// Writes every command that the pins carried into the cmd ring, with the time of its first edge.

module hbm_recorder
  import hbm_tb_pkg::*;
(
  input  logic            clk_i,
  input  logic            rst_ni,
  input  longint unsigned cycle_i,
  input  pin_valid_t      valid_i,  // commands of the cycle before
  input  pin_cmd_t [3:0]  row_i,
  input  pin_cmd_t [1:0]  col_i,
  output logic            flip_o    // planted fault: invert a pin in the next cycle
);

  always_ff @(posedge clk_i or negedge rst_ni) begin : note
    longint unsigned base;
    int unsigned     flip;
    if (!rst_ni) begin
      flip_o <= 1'b0;
    end else begin
      flip = 0;
      if (|{valid_i.row_valid, valid_i.col_valid}) begin
        base = half_ck(cycle_i, 0) - 4;
        for (int unsigned p = 0; p < 2; p++) begin
          if (valid_i.row_valid[2*p])
            flip |= hx_record(base + longint'(2 * p) - (p == 0 && valid_i.act_wrapped ? 64'd2 : 64'd0), row_i[2*p]);
          if (valid_i.col_valid[p]) flip |= hx_record(base + longint'(2 * p), col_i[p]);
          if (valid_i.row_valid[2*p+1]) flip |= hx_record(base + longint'(2 * p + 1), row_i[2*p+1]);
        end
      end
      flip_o <= flip[0];
    end
  end

endmodule
