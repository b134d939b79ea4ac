// A block of read/write registers kept as an array of words: one write port, one read port, all words visible (M7).
//
// Latency: req_i in cycle N -> the written word shows, and ack and read data are given, in N+1.

module hbm_csr_words #(
  /// Number of words.
  parameter int unsigned Words = 1,
  /// Implemented bits of each word; the others read 0.
  parameter logic [Words-1:0][31:0] Mask = '1,
  /// Reset values.
  parameter logic [Words-1:0][31:0] Reset = '0,
  /// Width of the word address.
  localparam int unsigned AddrWidth = (Words > 1) ? $clog2(Words) : 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   req_i,       // one cycle per access
  input  logic                   wr_i,
  input  logic [AddrWidth-1:0]   addr_i,      // below Words
  input  logic [31:0]            wr_data_i,
  input  logic [31:0]            wr_biten_i,
  output logic                   rd_ack_o,
  output logic [31:0]            rd_data_o,
  output logic                   wr_ack_o,

  output logic [Words-1:0][31:0] words_o
);

  logic [Words-1:0][31:0] words_q;
  logic [31:0]            rd_data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      words_q <= Reset & Mask;
    end else if (req_i && wr_i) begin
      words_q[addr_i] <= ((words_q[addr_i] & ~wr_biten_i) | (wr_data_i & wr_biten_i)) & Mask[addr_i];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_ack_o <= 1'b0;
      wr_ack_o <= 1'b0;
    end else begin
      rd_ack_o <= req_i && !wr_i;
      wr_ack_o <= req_i && wr_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (req_i) rd_data_q <= words_q[addr_i];
  end

  assign rd_data_o = rd_data_q;
  assign words_o   = words_q;

endmodule
