// Pins of the small controller: both edges of CK and of the strobes, from a clock of twice the rate of CK.
//
// Commands and write data change at rising edges of `clk2x_i`, CK and WDQS at falling ones: each edge stands in the middle of its bit.
// Read data are taken with RDQS, four unit intervals a burst, and handed over in order.

module small_io
  import small_pkg::*;
(
  input  logic          clk2x_i,   // its rising edges are the edges of clk_i and the middles between them
  input  logic          clk_i,
  input  logic          rst_ni,    // released with an edge of clk_i

  input  words_t        words_i,
  input  logic [1:0]    wr_en_i,
  input  logic [127:0]  wr_data_i,
  input  logic [15:0]   wr_mask_i,
  output logic [1:0]    rd_valid_o,
  output logic [255:0]  rd_data_o [2],

  output logic          ck_o, reset_n_o, cke_o,
  output logic [5:0]    r_o,
  output logic [7:0]    c_o,
  output logic [1:0]    oe_o, wdqs_o,
  output logic [63:0]   dq_o,
  output logic [7:0]    dm_o,
  input  logic [1:0]    rdqs_i,
  input  logic [63:0]   dq_i [2]
);

  // ---------------------------------------------------------------- out
  logic second_q;  // the falling half comes next

  always_ff @(posedge clk2x_i or negedge rst_ni) begin
    if (!rst_ni) begin
      second_q  <= 1'b0;
      {reset_n_o, cke_o} <= '0;
      oe_o      <= '0;
      {r_o, c_o} <= '1;
    end else begin
      // The first half goes out in the middle of the CK of clk_i in which its words stand, the second at the end of it.
      second_q  <= ~second_q;
      r_o       <= words_i.row[second_q];
      c_o       <= words_i.col[second_q];
      dq_o      <= wr_data_i[64*second_q +: 64];
      dm_o      <= wr_mask_i[8*second_q +: 8];
      oe_o      <= wr_en_i;
      reset_n_o <= words_i.reset_n;
      cke_o     <= words_i.cke;
    end
  end

  always_ff @(negedge clk2x_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ck_o   <= 1'b0;
      wdqs_o <= '0;
    end else begin
      // second_q is high while the first half is on the pins.
      ck_o   <= second_q && words_i.ck_en;
      wdqs_o <= second_q ? oe_o : '0;
    end
  end

  // ---------------------------------------------------------------- in
  for (genvar p = 0; p < 2; p++) begin : g_pc
    logic [1:0]   even_q;    // bursts taken, low bits
    logic [1:0]   given_q;
    logic         half_q;    // the second half of a burst comes next
    logic [255:0] burst_q [4];

    always_ff @(posedge rdqs_i[p] or negedge rst_ni) begin
      if (!rst_ni) burst_q[0][63:0] <= '0;
      else         burst_q[even_q][128*half_q +: 64] <= dq_i[p];
    end

    always_ff @(negedge rdqs_i[p] or negedge rst_ni) begin
      if (!rst_ni) begin
        half_q <= 1'b0;
        even_q <= '0;
      end else begin
        burst_q[even_q][128*half_q + 64 +: 64] <= dq_i[p];
        half_q <= ~half_q;
        if (half_q) even_q <= even_q + 2'd1;
      end
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        given_q       <= '0;
        rd_valid_o[p] <= 1'b0;
      end else begin
        rd_valid_o[p] <= even_q != given_q;
        rd_data_o[p]  <= burst_q[given_q];
        if (even_q != given_q) given_q <= given_q + 2'd1;
      end
    end
  end

endmodule
