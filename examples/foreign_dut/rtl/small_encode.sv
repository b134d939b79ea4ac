// HBM2 command words of one CK, from what the controller wants to do in it.

module small_encode
  import small_pkg::*;
(
  input  logic        act_first_i, act_second_i, ref_i, column_i, mrs_i,  // at most one of the row bus, one of the column bus
  input  logic        pc_i,
  input  logic [3:0]  bank_i,
  input  logic [13:0] row_i,
  input  logic [4:0]  col_i,
  input  logic        write_i,
  input  logic [3:0]  ma_i,
  input  logic [7:0]  op_i,
  output logic [1:0][5:0] row_o,
  output logic [1:0][7:0] col_o
);

  // PAR (pin 2 of the falling word) makes that word even.
  function automatic logic [5:0] even_row(input logic [5:0] w);
    return {w[5:3], ^{w[5:3], w[1:0]}, w[1:0]};
  endfunction

  function automatic logic [7:0] even_col(input logic [7:0] w);
    return {w[7:3], ^{w[7:3], w[1:0]}, w[1:0]};
  endfunction

  always_comb begin
    row_o = '1;
    if (act_first_i) begin
      row_o[0] = {bank_i[2:0], 1'b0, 2'b10};
      row_o[1] = even_row({bank_i[3], row_i[13], pc_i, 1'b0, row_i[12:11]});
    end else if (act_second_i) begin
      row_o[0] = row_i[10:5];
      row_o[1] = even_row({row_i[4:2], 1'b0, row_i[1:0]});
    end else if (ref_i) begin
      row_o[0] = {3'b111, 3'b100};
      row_o[1] = even_row({1'b1, 1'b1, pc_i, 1'b0, 2'b01});
    end

    col_o = '1;
    if (column_i) begin
      // With auto-precharge: RDA, WRA.
      col_o[0] = {bank_i, 1'b1, write_i ? 3'b001 : 3'b101};
      col_o[1] = even_col({pc_i, col_i[4:1], 1'b0, col_i[0], 1'b0});
    end else if (mrs_i) begin
      col_o[0] = {ma_i, op_i[7], 3'b000};
      col_o[1] = even_col({op_i[6:2], 1'b0, op_i[1:0]});
    end
  end

endmodule
