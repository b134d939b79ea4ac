// Test top of the small controller: its clocks, the controller, and the library's bench behind its pins.

module small_top
  import small_pkg::*;
#(
  // In CK; the test gives those of the preset.
  parameter int unsigned RL = 20,
  parameter int unsigned WL = 8,
  parameter int unsigned RCDRD = 14,
  parameter int unsigned RCDWR = 10,
  parameter int unsigned RP = 14,
  parameter int unsigned RC = 47,
  parameter int unsigned RTP = 5,
  parameter int unsigned WR = 16,
  parameter int unsigned WTR = 9,
  parameter int unsigned RTW = 16,
  parameter int unsigned MRD = 8,
  parameter int unsigned MOD = 15,
  parameter int unsigned RFC = 260,
  parameter int unsigned REFI = 3900
);

  localparam real CkNs = 1.0;

  logic clk2x = 1'b0;
  logic clk = 1'b0;
  initial forever begin
    #(CkNs / 4.0) begin clk2x = 1'b1; clk = ~clk; end
    #(CkNs / 4.0) clk2x = 1'b0;
  end

  // ---------------------------------------------------------------- ports, driven by the test
  logic         req_valid = 1'b0;
  logic         req_ready;
  logic         req_write = 1'b0;
  logic [31:0]  req_address = '0;   // of 32 bytes: {row, col, bank, bank group, pc}
  logic [255:0] req_data = '0;
  logic [31:0]  req_mask = '0;
  logic         rsp_valid;
  logic [255:0] rsp_data;

  request_t req;
  assign req = '{write: req_write, pc: req_address[0], bank: {req_address[2:1], req_address[4:3]}, col: req_address[9:5],
                 row: req_address[23:10], data: req_data, mask: req_mask};

  // ---------------------------------------------------------------- the controller
  localparam timing_t Timing = '{
    rl: 8'(RL), wl: 8'(WL), rcd_rd: 8'(RCDRD), rcd_wr: 8'(RCDWR), rp: 8'(RP), rc: 8'(RC), rtp: 8'(RTP), wr: 8'(WR), wtr: 8'(WTR),
    rtw: 8'(RTW), mrd: 8'(MRD), mod: 8'(MOD), rfc: 12'(RFC), refi: 16'(REFI)
  };

  logic        ck, reset_n, cke, rst_n, bench_rst_n;
  logic [5:0]  r;
  logic [7:0]  c, dm;
  logic [1:0]  oe, wdqs, rdqs;
  logic [63:0] dq_out;
  logic [63:0] dq_in [2];

  // Released with a clock edge of the controller.
  always_ff @(posedge clk or negedge bench_rst_n) begin
    if (!bench_rst_n) rst_n <= 1'b0;
    else              rst_n <= 1'b1;
  end

  small_hbm u_dut (
    .clk_i(clk), .clk2x_i(clk2x), .rst_ni(rst_n), .timing_i(Timing),
    .req_valid_i(req_valid), .req_ready_o(req_ready), .req_i(req), .rsp_valid_o(rsp_valid), .rsp_data_o(rsp_data),
    .ck_o(ck), .reset_n_o(reset_n), .cke_o(cke), .r_o(r), .c_o(c), .oe_o(oe), .wdqs_o(wdqs), .dq_o(dq_out), .dm_o(dm),
    .rdqs_i(rdqs), .dq_i(dq_in)
  );

  // ---------------------------------------------------------------- pin by pin to the bench
  hbm_ddr_pkg::ddr_out_t out;
  hbm_ddr_pkg::ddr_in_t  back;

  always_comb begin
    out = '0;
    out.ck      = ck;
    out.reset_n = reset_n;
    out.cke     = cke;
    out.r       = r;
    out.c       = c;
    for (int unsigned p = 0; p < 2; p++) begin
      out.wr[p].oe   = oe[p];
      out.wr[p].wdqs = wdqs[p];
      out.wr[p].dq   = dq_out;
      out.wr[p].dm   = dm;
      rdqs[p]        = back.rd[p].rdqs;
      dq_in[p]       = back.rd[p].dq;
    end
  end

  hbm_pin_bench #(.CkNs(CkNs)) u_bench (.ddr_i(out), .ddr_o(back), .rst_no(bench_rst_n));

endmodule
