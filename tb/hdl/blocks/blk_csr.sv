// Block bench of the registers: APB pins and all status inputs are driven by cocotb on falling edges.

module blk_csr
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  logic clk /* verilator public_flat_rd */;
  assign clk = clk_i;

  logic block_rst_drv /* verilator public_flat_rw */;
  logic rst_n;
  assign rst_n = rst_ni && !block_rst_drv;

  // ---------------------------------------------------------------- driven
  logic        psel_drv /* verilator public_flat_rw */;
  logic        penable_drv /* verilator public_flat_rw */;
  logic        pwrite_drv /* verilator public_flat_rw */;
  logic [12:0] paddr_drv /* verilator public_flat_rw */;
  logic [31:0] pwdata_drv /* verilator public_flat_rw */;
  logic [3:0]  pstrb_drv /* verilator public_flat_rw */;
  logic [2:0]  pprot_drv /* verilator public_flat_rw */;
  logic        load_drv /* verilator public_flat_rw */;
  logic [3:0]  state_drv /* verilator public_flat_rw */;
  logic        init_done_drv /* verilator public_flat_rw */;
  logic        busy_drv /* verilator public_flat_rw */;
  logic [2:0]  temp_drv /* verilator public_flat_rw */;
  logic [1:0]  idle_drv /* verilator public_flat_rw */;
  logic [1:0]  closed_drv /* verilator public_flat_rw */;
  logic        aerr_drv /* verilator public_flat_rw */;
  logic [1:0]  derr_drv /* verilator public_flat_rw */;
  logic [1:0]  rdata_drv /* verilator public_flat_rw */;
  logic [NumPcs-1:0][$bits(pc_status_t)-1:0]   status_drv /* verilator public_flat_rw */;
  logic [NumPcs-1:0][$bits(events_t)-1:0]      events_drv /* verilator public_flat_rw */;
  logic [NumPcs-1:0][$bits(host_events_t)-1:0] host_events_drv /* verilator public_flat_rw */;

  // ---------------------------------------------------------------- observed
  logic [31:0] prdata /* verilator public_flat_rd */;
  logic        pready /* verilator public_flat_rd */;
  logic        pslverr /* verilator public_flat_rd */;
  logic        irq /* verilator public_flat_rd */;
  logic [2:0]  rd_delay /* verilator public_flat_rd */;
  logic [$bits(timing_t)-1:0]   timing /* verilator public_flat_rd */;
  logic [$bits(policy_t)-1:0]   policy /* verilator public_flat_rd */;
  logic [$bits(addr_map_t)-1:0] map /* verilator public_flat_rd */;
  logic [7:0]  init_starts /* verilator public_flat_rd */;  // pulses since reset
  logic [7:0]  commits /* verilator public_flat_rd */;

  logic init_start, commit;

  hbm_csr_top #(.InitShift(14), .AutoInit(1'b0)) u_csr (
    .clk_i, .rst_ni(rst_n),
    .psel_i(psel_drv), .penable_i(penable_drv), .pwrite_i(pwrite_drv), .paddr_i(paddr_drv), .pwdata_i(pwdata_drv),
    .pstrb_i(pstrb_drv), .pprot_i(pprot_drv), .prdata_o(prdata), .pready_o(pready), .pslverr_o(pslverr),
    .timing_o(timing), .policy_o(policy), .map_o(map), .rd_delay_o(rd_delay),
    .init_start_o(init_start), .commit_o(commit), .load_i(load_drv),
    .init_state_i(init_state_e'(state_drv)), .init_done_i(init_done_drv), .init_busy_i(busy_drv),
    .temp_i(temp_drv), .pc_status_i(status_drv), .idle_i(idle_drv), .closed_i(closed_drv),
    .pc_events_i(events_drv), .port_events_i(host_events_drv),
    .aerr_i(aerr_drv), .derr_i(derr_drv), .rdata_error_i(rdata_drv),
    .irq_o(irq)
  );

  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) begin
      init_starts <= '0;
      commits     <= '0;
    end else begin
      init_starts <= init_starts + 8'(init_start);
      commits     <= commits + 8'(commit);
    end
  end

endmodule
