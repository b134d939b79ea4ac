// Block bench of the timed side's AXI and APB masters: cocotb is the slave, so that every complaint of the masters can be provoked.
//
// Slave signals are set on falling clock edges. Port 0 of the rings.

module blk_master
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  logic        ar_ready_drv /* verilator public_flat_rw */;
  logic        aw_ready_drv /* verilator public_flat_rw */;
  logic        w_ready_drv /* verilator public_flat_rw */;
  logic        r_valid_drv /* verilator public_flat_rw */;
  logic [5:0]  r_id_drv /* verilator public_flat_rw */;
  logic        r_last_drv /* verilator public_flat_rw */;
  logic [31:0] r_data_drv /* verilator public_flat_rw */;
  logic        b_valid_drv /* verilator public_flat_rw */;
  logic [5:0]  b_id_drv /* verilator public_flat_rw */;
  logic        pready_drv /* verilator public_flat_rw */;
  logic        rst_drv /* verilator public_flat_rw */;  // 1: the bench itself starts anew
  logic        ar_valid /* verilator public_flat_rd */;
  logic [10:0] ar_attributes /* verilator public_flat_rd */;  // cache, prot, region
  logic        r_ready /* verilator public_flat_rd */;
  logic        b_ready /* verilator public_flat_rd */;

  initial begin
    {ar_ready_drv, aw_ready_drv, w_ready_drv, r_valid_drv, r_last_drv, b_valid_drv, pready_drv} = '0;
    {r_id_drv, b_id_drv, r_data_drv} = '0;
    rst_drv = 1'b1;
  end

  logic            rst_n;
  logic            apb_start_q;
  longint unsigned cycle_q;
  assign rst_n = rst_ni && !rst_drv;

  always @(posedge rst_n) hx_reset();

  always_ff @(posedge clk_i or negedge rst_n) begin : control
    int unsigned act;
    if (!rst_n) begin
      cycle_q     <= '0;
      apb_start_q <= 1'b0;
    end else begin
      act = hx_cycle(cycle_q, 0);
      cycle_q     <= cycle_q + 1;
      apb_start_q <= act[5] && !apb_start_q;
    end
  end

  axi_ax_t ar, aw;
  axi_w_t  w;
  axi_r_t  r;
  axi_b_t  b;
  logic    aw_valid, w_valid;
  assign ar_attributes = {ar.cache, ar.prot, ar.region};
  assign r = '{id: r_id_drv, data: AxiDataWidth'(r_data_drv), resp: RespOkay, last: r_last_drv};
  assign b = '{id: b_id_drv, resp: RespOkay};

  hbm_axi_master #(.Port(0)) u_master (
    .clk_i, .rst_ni(rst_n), .cycle_i(cycle_q),
    .ar_o(ar), .ar_valid_o(ar_valid), .ar_ready_i(ar_ready_drv),
    .aw_o(aw), .aw_valid_o(aw_valid), .aw_ready_i(aw_ready_drv),
    .w_o(w), .w_valid_o(w_valid), .w_ready_i(w_ready_drv),
    .r_i(r), .r_valid_i(r_valid_drv), .r_ready_o(r_ready),
    .b_i(b), .b_valid_i(b_valid_drv), .b_ready_o(b_ready)
  );

  logic        psel, penable, pwrite;
  logic [15:0] paddr;
  logic [31:0] pwdata;
  logic [3:0]  pstrb;
  logic [2:0]  pprot;

  hbm_apb_master u_apb (
    .clk_i, .rst_ni(rst_n), .cycle_i(cycle_q), .start_i(apb_start_q),
    .psel_o(psel), .penable_o(penable), .pwrite_o(pwrite), .paddr_o(paddr), .pwdata_o(pwdata), .pstrb_o(pstrb),
    .pprot_o(pprot), .pready_i(pready_drv), .prdata_i(32'h600D_F00D), .pslverr_i(1'b0)
  );

endmodule
