// The small controller with its pins: what a chip would instantiate.

module small_hbm
  import small_pkg::*;
(
  input  logic         clk_i,     // CK rate
  input  logic         clk2x_i,
  input  logic         rst_ni,
  input  timing_t      timing_i,

  input  logic         req_valid_i,
  output logic         req_ready_o,
  input  request_t     req_i,
  output logic         rsp_valid_o,   // read data, in order of the reads
  output logic [255:0] rsp_data_o,

  output logic         ck_o, reset_n_o, cke_o,
  output logic [5:0]   r_o,
  output logic [7:0]   c_o,
  output logic [1:0]   oe_o, wdqs_o,
  output logic [63:0]  dq_o,          // to the lanes of both PCs; oe_o says which
  output logic [7:0]   dm_o,
  input  logic [1:0]   rdqs_i,
  input  logic [63:0]  dq_i [2]
);

  words_t       words;
  logic [1:0]   wr_en, rd_valid;
  logic [127:0] wr_data;
  logic [15:0]  wr_mask;
  logic [255:0] rd_data [2];

  small_controller u_controller (
    .clk_i, .rst_ni, .timing_i, .req_valid_i, .req_ready_o, .req_i, .words_o(words), .wr_en_o(wr_en), .wr_data_o(wr_data),
    .wr_mask_o(wr_mask)
  );

  small_io u_io (
    .clk2x_i, .clk_i, .rst_ni, .words_i(words), .wr_en_i(wr_en), .wr_data_i(wr_data), .wr_mask_i(wr_mask),
    .rd_valid_o(rd_valid), .rd_data_o(rd_data), .ck_o, .reset_n_o, .cke_o, .r_o, .c_o, .oe_o, .wdqs_o, .dq_o, .dm_o,
    .rdqs_i, .dq_i
  );

  // All reads have the same latency, so that data of the two PCs never come together.
  assign rsp_valid_o = |rd_valid;
  assign rsp_data_o  = rd_data[rd_valid[1]];

endmodule
