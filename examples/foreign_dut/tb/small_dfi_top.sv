// The small controller's core behind a DFI of two phases: our PHY interface, our device, no pins of its own.
//
// Two CKs of the controller make one DFI cycle. The core has no count of the read latency, so this top keeps one for `rddata_en`.

module small_dfi_top
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

  // 1 CK is 1 ns; the DFI clock has a period of 2 CK, its edges are edges of `clk`.
  logic clk = 1'b0;
  logic dfi_clk = 1'b0;
  initial forever begin
    #0.5 begin
      clk = ~clk;
      if (clk) dfi_clk = ~dfi_clk;
    end
  end

  // ---------------------------------------------------------------- ports, driven by the test: those of small_top
  logic         req_valid = 1'b0;
  logic         req_ready;
  logic         req_write = 1'b0;
  logic [31:0]  req_address = '0;
  logic [255:0] req_data = '0;
  logic [31:0]  req_mask = '0;
  logic         rsp_valid;
  logic [255:0] rsp_data;

  request_t req;
  assign req = '{write: req_write, pc: req_address[0], bank: {req_address[2:1], req_address[4:3]}, col: req_address[9:5],
                 row: req_address[23:10], data: req_data, mask: req_mask};

  localparam timing_t Timing = '{
    rl: 8'(RL), wl: 8'(WL), rcd_rd: 8'(RCDRD), rcd_wr: 8'(RCDWR), rp: 8'(RP), rc: 8'(RC), rtp: 8'(RTP), wr: 8'(WR), wtr: 8'(WTR),
    rtw: 8'(RTW), mrd: 8'(MRD), mod: 8'(MOD), rfc: 12'(RFC), refi: 16'(REFI)
  };

  words_t       words;
  logic [1:0]   wr_en;
  logic [127:0] wr_data;
  logic [15:0]  wr_mask;
  logic         bench_rst_n, rst_n;

  // Released with an edge of the DFI clock.
  always_ff @(posedge dfi_clk or negedge bench_rst_n) begin
    if (!bench_rst_n) rst_n <= 1'b0;
    else              rst_n <= 1'b1;
  end

  small_controller u_controller (
    .clk_i(clk), .rst_ni(rst_n), .timing_i(Timing), .req_valid_i(req_valid), .req_ready_o(req_ready), .req_i(req),
    .words_o(words), .wr_en_o(wr_en), .wr_data_o(wr_data), .wr_mask_o(wr_mask)
  );

  // ---------------------------------------------------------------- two CKs side by side
  hbm_pkg::dfi_cmd_t                    cmd, cmd_q;
  hbm_pkg::dfi_wr_t [hbm_pkg::NumPcs-1:0] wr, wr_q;
  hbm_pkg::dfi_rd_t [hbm_pkg::NumPcs-1:0] rd;
  logic second_q;   // the CK that ends now is the second of a DFI cycle

  words_t       first_q;
  logic [1:0]   first_en_q;
  logic [127:0] first_data_q;
  logic [15:0]  first_mask_q;

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      second_q <= 1'b0;
      cmd      <= '{row: '1, col: '1, default: '0};
      wr       <= '0;
    end else begin
      second_q <= ~second_q;
      if (!second_q) begin
        first_q      <= words;
        first_en_q   <= wr_en;
        first_data_q <= wr_data;
        first_mask_q <= wr_mask;
      end else begin
        cmd.row     <= {words.row, first_q.row};
        cmd.col     <= {words.col, first_q.col};
        cmd.cke     <= {words.cke, first_q.cke};
        cmd.ck_en   <= words.ck_en;
        cmd.reset_n <= words.reset_n;
        for (int unsigned p = 0; p < hbm_pkg::NumPcs; p++) begin
          wr[p].en   <= {wr_en[p], first_en_q[p]};
          wr[p].data <= {wr_data, first_data_q};
          wr[p].mask <= {wr_mask, first_mask_q};
        end
      end
    end
  end

  // A pair stands from the end of its second CK on, and crosses to the DFI clock one cycle later.
  always_ff @(posedge dfi_clk or negedge rst_n) begin
    if (!rst_n) begin
      cmd_q <= '{row: '1, col: '1, default: '0};
      wr_q  <= '0;
    end else begin
      cmd_q <= cmd;
      wr_q  <= wr;
    end
  end

  // ---------------------------------------------------------------- read data: RL after the RD on the DFI
  logic [hbm_pkg::NumPcs-1:0][127:0] due_q;   // bit k: data of the CK that comes k CK after p0 of the next DFI cycle
  logic [hbm_pkg::NumPcs-1:0][1:0]   rddata_en;

  always_ff @(posedge dfi_clk or negedge rst_n) begin : reads
    logic [127:0] due;
    if (!rst_n) begin
      due_q <= '0;
    end else begin
      for (int unsigned p = 0; p < hbm_pkg::NumPcs; p++) begin
        due = due_q[p] >> 2;
        for (int unsigned ph = 0; ph < 2; ph++) begin
          // RDA of this PC in the cycle that is on the DFI from now on.
          if (cmd.col[ph][0][2:0] == 3'b101 && cmd.col[ph][1][7] == p[0]) due |= 128'd3 << (RL + ph);
        end
        due_q[p] <= due;
      end
    end
  end

  for (genvar p = 0; p < int'(hbm_pkg::NumPcs); p++) begin : g_en
    assign rddata_en[p] = due_q[p][1:0];
  end

  // ---------------------------------------------------------------- answers: two halves, then one CK of `clk`
  logic [1:0][127:0] half_q;   // first halves that wait for their second
  logic [1:0]        open_q;
  logic              answer_q;
  logic [255:0]      data_q;

  always_ff @(posedge dfi_clk or negedge rst_n) begin : answers
    if (!rst_n) begin
      open_q   <= '0;
      answer_q <= 1'b0;
    end else begin
      answer_q <= 1'b0;
      for (int unsigned p = 0; p < hbm_pkg::NumPcs; p++) begin
        if (rd[p].valid == 2'b11 && !open_q[p]) begin
          answer_q <= 1'b1;
          data_q   <= rd[p].data;
        end else if (rd[p].valid[0] && open_q[p]) begin
          answer_q  <= 1'b1;
          data_q    <= {rd[p].data[0], half_q[p]};
          open_q[p] <= 1'b0;
        end else if (rd[p].valid[1]) begin
          half_q[p] <= rd[p].data[1];
          open_q[p] <= 1'b1;
        end
      end
    end
  end

  logic told_q;
  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) told_q <= 1'b0;
    else        told_q <= answer_q && !told_q;
  end
  assign rsp_valid = told_q;
  assign rsp_data  = data_q;

  hbm_dfi_bench u_bench (
    .clk_i(dfi_clk), .rst_no(bench_rst_n), .dfi_cmd_i(cmd_q), .dfi_wr_i(wr_q), .rddata_en_i(rddata_en), .dfi_rd_o(rd),
    .rd_delay_i(3'd0), .aerr_o(), .derr_o()
  );

endmodule
