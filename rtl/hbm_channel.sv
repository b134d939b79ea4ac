// One HBM channel: two AXI4 ports, two pseudo-channels, one row bus, registers, initialisation, PHY interface (M1 to M8).
//
// PC p is port p; a port addresses its own PC only. All ports run on the controller clock, CK / 2.

module hbm_channel
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
#(
  /// Simulation only: the long waits of the initialisation are divided by 2^InitShift. 0 in hardware.
  parameter int unsigned InitShift = 0,
  /// 1: the initialisation starts by itself after reset; 0: with register ctrl.init_start.
  parameter bit          AutoInit = 1'b1
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,

  // AXI4, one port per PC.
  input  axi_ax_t [NumPcs-1:0]    aw_i,
  input  logic    [NumPcs-1:0]    aw_valid_i,
  output logic    [NumPcs-1:0]    aw_ready_o,
  input  axi_w_t  [NumPcs-1:0]    w_i,
  input  logic    [NumPcs-1:0]    w_valid_i,
  output logic    [NumPcs-1:0]    w_ready_o,
  output axi_b_t  [NumPcs-1:0]    b_o,
  output logic    [NumPcs-1:0]    b_valid_o,
  input  logic    [NumPcs-1:0]    b_ready_i,
  input  axi_ax_t [NumPcs-1:0]    ar_i,
  input  logic    [NumPcs-1:0]    ar_valid_i,
  output logic    [NumPcs-1:0]    ar_ready_o,
  output axi_r_t  [NumPcs-1:0]    r_o,
  output logic    [NumPcs-1:0]    r_valid_o,
  input  logic    [NumPcs-1:0]    r_ready_i,

  // APB4, docs/registers.md.
  input  logic                    psel_i,
  input  logic                    penable_i,
  input  logic                    pwrite_i,
  input  logic [12:0]             paddr_i,
  input  logic [31:0]             pwdata_i,
  input  logic [3:0]              pstrb_i,
  input  logic [2:0]              pprot_i,
  output logic [31:0]             prdata_o,
  output logic                    pready_o,
  output logic                    pslverr_o,
  output logic                    irq_o,

  input  logic [2:0]              temp_i,  // TEMP pins, synchronised to clk_i

  output pins_out_t               pins_o,
  input  pins_in_t                pins_i
);

  // ---------------------------------------------------------------- registers
  timing_t                   timing;
  policy_t                   policy;
  addr_map_t                 map;
  logic [2:0]                rd_delay;
  logic                      init_start;
  logic                      commit;
  logic                      load;
  init_state_e               init_state;
  logic                      init_done;
  logic                      init_busy;
  logic [NumPcs-1:0]         port_idle;
  logic [NumPcs-1:0]         pc_idle;
  logic [NumPcs-1:0]         pc_closed;
  logic [NumPcs-1:0]         pc_precharged;
  pc_status_t [NumPcs-1:0]   pc_status;
  events_t [NumPcs-1:0]      pc_events;
  host_events_t [NumPcs-1:0] port_events;
  logic                      aerr;
  logic [NumPcs-1:0]         derr;
  logic [NumPcs-1:0]         rd_surplus;
  logic [NumPcs-1:0]         rd_missing;

  hbm_csr_top #(.InitShift(InitShift), .AutoInit(AutoInit)) u_csr (
    .clk_i, .rst_ni,
    .psel_i, .penable_i, .pwrite_i, .paddr_i, .pwdata_i, .pstrb_i, .pprot_i, .prdata_o, .pready_o, .pslverr_o,
    .timing_o(timing), .policy_o(policy), .map_o(map), .rd_delay_o(rd_delay),
    .init_start_o(init_start), .commit_o(commit), .load_i(load),
    .init_state_i(init_state), .init_done_i(init_done), .init_busy_i(init_busy),
    .temp_i, .pc_status_i(pc_status), .idle_i(port_idle & pc_idle), .closed_i(pc_precharged),
    .pc_events_i(pc_events), .port_events_i(port_events), .aerr_i(aerr), .derr_i(derr), .rdata_error_i(rd_surplus | rd_missing),
    .irq_o
  );

  // ---------------------------------------------------------------- initialisation and commit
  logic       enable;
  logic       quiesce;
  logic       close_banks;
  mrs_cmd_t   mrs;
  pin_state_t pin_state;

  hbm_init_seq #(.InitShift(InitShift), .AutoStart(AutoInit)) u_init (
    .clk_i, .rst_ni,
    .start_i(init_start), .commit_i(commit), .timing_i(timing),
    .host_idle_i(&port_idle), .pc_idle_i(pc_idle), .pc_closed_i(pc_closed),
    .enable_o(enable), .quiesce_o(quiesce), .close_o(close_banks), .load_o(load), .mrs_o(mrs), .pin_state_o(pin_state),
    .state_o(init_state), .done_o(init_done), .busy_o(init_busy)
  );

  // ---------------------------------------------------------------- ports and pseudo-channels
  row_cmd_t [NumPcs-1:0]      act;
  row_cmd_t [NumPcs-1:0]      short_cmd;
  logic [NumPcs-1:0]          short_a_ok;
  logic [NumPcs-1:0]          act_gnt;
  logic [NumPcs-1:0]          short_gnt_a;
  logic [NumPcs-1:0]          short_gnt_b;
  col_cmd_t [NumPcs-1:0]      col;
  dfi_wr_t [NumPcs-1:0]       dfi_wr;
  logic [NumPcs-1:0][1:0]     rddata_en;
  dfi_rd_t [NumPcs-1:0]       dfi_rd;

  for (genvar p = 0; p < int'(NumPcs); p++) begin : g_pc
    rd_req_t rd_req;
    logic    rd_req_valid;
    logic    rd_req_express;
    logic    rd_req_ready;
    logic    rd_req_ready_x;
    logic    rd_refused;
    wr_req_t wr_req;
    logic    wr_req_valid;
    logic    wr_credit;
    rd_rsp_t rd_rsp;

    hbm_axi_port u_port (
      .clk_i, .rst_ni,
      .aw_i(aw_i[p]), .aw_valid_i(aw_valid_i[p]), .aw_ready_o(aw_ready_o[p]),
      .w_i(w_i[p]), .w_valid_i(w_valid_i[p]), .w_ready_o(w_ready_o[p]),
      .b_o(b_o[p]), .b_valid_o(b_valid_o[p]), .b_ready_i(b_ready_i[p]),
      .ar_i(ar_i[p]), .ar_valid_i(ar_valid_i[p]), .ar_ready_o(ar_ready_o[p]),
      .r_o(r_o[p]), .r_valid_o(r_valid_o[p]), .r_ready_i(r_ready_i[p]),
      .map_i(map), .qos_high_i(policy.qos_high), .quiesce_i(quiesce), .idle_o(port_idle[p]),
      .rd_req_o(rd_req), .rd_req_valid_o(rd_req_valid), .rd_req_express_o(rd_req_express),
      .rd_req_ready_i(rd_req_ready), .rd_req_ready_x_i(rd_req_ready_x), .rd_refused_o(rd_refused),
      .wr_req_o(wr_req), .wr_req_valid_o(wr_req_valid), .wr_credit_i(wr_credit),
      .rd_rsp_i(rd_rsp), .events_o(port_events[p])
    );

    hbm_pc #(.Pc(p)) u_pc (
      .clk_i, .rst_ni,
      .timing_i(timing), .policy_i(policy), .temp_i, .enable_i(enable), .close_i(close_banks),
      .idle_o(pc_idle[p]), .closed_o(pc_closed[p]), .precharged_o(pc_precharged[p]), .status_o(pc_status[p]), .events_o(pc_events[p]),
      .rd_req_i(rd_req), .rd_req_valid_i(rd_req_valid), .rd_req_express_i(rd_req_express),
      .rd_req_ready_o(rd_req_ready), .rd_req_ready_x_o(rd_req_ready_x), .rd_refused_i(rd_refused),
      .wr_req_i(wr_req), .wr_req_valid_i(wr_req_valid), .wr_credit_o(wr_credit), .rd_rsp_o(rd_rsp),
      .act_o(act[p]), .short_o(short_cmd[p]), .short_a_ok_o(short_a_ok[p]),
      .act_gnt_i(act_gnt[p]), .short_gnt_a_i(short_gnt_a[p]), .short_gnt_b_i(short_gnt_b[p]),
      .col_o(col[p]), .dfi_wr_o(dfi_wr[p]), .rddata_en_o(rddata_en[p]), .dfi_rd_i(dfi_rd[p]),
      .rd_surplus_o(rd_surplus[p]), .rd_missing_o(rd_missing[p])
    );
  end

  // ---------------------------------------------------------------- buses and pins
  row_bus_t row_bus;
  dfi_cmd_t dfi_cmd;

  hbm_row_arb u_row_arb (
    .clk_i, .rst_ni,
    .act_i(act), .short_i(short_cmd), .short_a_ok_i(short_a_ok),
    .act_gnt_o(act_gnt), .short_gnt_a_o(short_gnt_a), .short_gnt_b_o(short_gnt_b),
    .row_o(row_bus)
  );

  hbm_cmd_encoder u_encoder (
    .clk_i, .rst_ni,
    .row_bus_i(row_bus), .col_i(col), .mrs_i(mrs), .pin_state_i(pin_state),
    .dfi_cmd_o(dfi_cmd)
  );

  hbm_phy_if u_phy_if (
    .clk_i, .rst_ni,
    .dfi_cmd_i(dfi_cmd), .dfi_wr_i(dfi_wr), .rddata_en_i(rddata_en), .dfi_rd_o(dfi_rd), .rd_delay_i(rd_delay),
    .pins_o, .pins_i, .aerr_o(aerr), .derr_o(derr)
  );

endmodule
