// Registers of the channel: APB4 slave, shadow and active set, event counters, interrupt (M7).
//
// Latency: APB write in cycle N (psel, penable, pready) -> field and pulses in N+1; load_i in N -> active set in N+1.
// Shadow set: timing, address map, row limit, rd_delay. They reach the channel through load_i only; policies do at once.

module hbm_csr_top
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
  import hbm_csr_regs_pkg::*;
  import hbm_csr_words_pkg::*;
#(
  /// Reported to software; see hbm_channel.
  parameter int unsigned InitShift = 0,
  /// Reported to software; see hbm_channel.
  parameter bit          AutoInit = 1'b1
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,

  input  logic                     psel_i,
  input  logic                     penable_i,
  input  logic                     pwrite_i,
  input  logic [12:0]              paddr_i,
  input  logic [31:0]              pwdata_i,
  input  logic [3:0]               pstrb_i,
  input  logic [2:0]               pprot_i,
  output logic [31:0]              prdata_o,
  output logic                     pready_o,
  output logic                     pslverr_o,

  output timing_t                  timing_o,      // active set
  output policy_t                  policy_o,
  output addr_map_t                map_o,         // active set
  output logic [2:0]               rd_delay_o,    // active set

  output logic                     init_start_o,  // pulse
  output logic                     commit_o,      // pulse
  input  logic                     load_i,        // active set := shadow set
  input  init_state_e              init_state_i,
  input  logic                     init_done_i,   // stays
  input  logic                     init_busy_i,

  input  logic [2:0]               temp_i,
  input  pc_status_t [NumPcs-1:0]  pc_status_i,
  input  logic [NumPcs-1:0]        idle_i,
  input  logic [NumPcs-1:0]        closed_i,
  input  events_t [NumPcs-1:0]     pc_events_i,
  input  host_events_t [NumPcs-1:0] port_events_i,
  input  logic                     aerr_i,        // pulse
  input  logic [NumPcs-1:0]        derr_i,        // pulse
  input  logic [NumPcs-1:0]        rdata_error_i, // pulse: read data without a read, or the reverse

  output logic                     irq_o
);

  if (InitShift > 255) begin : g_bad_shift
    $fatal(1, "hbm_csr_top: InitShift does not fit its register");
  end

  localparam int unsigned LayoutVersion = 1;  // raise with every change that software must know of
  localparam int unsigned NumCounters = 1 + NumPcs * ($bits(events_t) + $bits(host_events_t));

  hbm_csr__in_t  regs_in;
  hbm_csr__out_t regs;
  logic          slverr;
  logic          counter_write_q;

  hbm_csr_regs u_regs (
    .clk(clk_i), .arst_n(rst_ni),
    .s_apb_psel(psel_i), .s_apb_penable(penable_i), .s_apb_pwrite(pwrite_i), .s_apb_pprot(pprot_i), .s_apb_paddr(paddr_i),
    .s_apb_pwdata(pwdata_i), .s_apb_pstrb(pstrb_i), .s_apb_pready(pready_o), .s_apb_prdata(prdata_o), .s_apb_pslverr(slverr),
    .hwif_in(regs_in), .hwif_out(regs)
  );

  // PeakRDL takes every access to an external block as legal; the counters are read-only.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)                counter_write_q <= 1'b0;
    else if (regs.counters.req) counter_write_q <= regs.counters.req_is_wr;
    else if (pready_o)          counter_write_q <= 1'b0;
  end

  assign pslverr_o = slverr || (pready_o && counter_write_q);

  // ---------------------------------------------------------------- policies, shadow and active set
  logic [PolicyWords-1:0][31:0] policy_words;
  logic [MapWords-1:0][31:0]    map_words;
  logic [TimingWords-1:0][31:0] timing_words;
  timing_t                      timing_q;
  addr_map_t                    map_q;
  logic [2:0]                   rd_delay_q;

  hbm_csr_words #(.Words(PolicyWords), .Mask(PolicyMask), .Reset(PolicyReset)) u_policy (
    .clk_i, .rst_ni,
    .req_i(regs.policy.req), .wr_i(regs.policy.req_is_wr), .addr_i(regs.policy.addr[4:2]),
    .wr_data_i(regs.policy.wr_data), .wr_biten_i(regs.policy.wr_biten),
    .rd_ack_o(regs_in.policy.rd_ack), .rd_data_o(regs_in.policy.rd_data), .wr_ack_o(regs_in.policy.wr_ack),
    .words_o(policy_words)
  );

  hbm_csr_words #(.Words(MapWords), .Mask(MapMask), .Reset(MapReset)) u_map (
    .clk_i, .rst_ni,
    .req_i(regs.map.req), .wr_i(regs.map.req_is_wr), .addr_i(regs.map.addr[7:2]),
    .wr_data_i(regs.map.wr_data), .wr_biten_i(regs.map.wr_biten),
    .rd_ack_o(regs_in.map.rd_ack), .rd_data_o(regs_in.map.rd_data), .wr_ack_o(regs_in.map.wr_ack),
    .words_o(map_words)
  );

  hbm_csr_words #(.Words(TimingWords), .Mask(TimingMask), .Reset(TimingReset)) u_timing (
    .clk_i, .rst_ni,
    .req_i(regs.timing.req), .wr_i(regs.timing.req_is_wr), .addr_i(regs.timing.addr[6:2]),
    .wr_data_i(regs.timing.wr_data), .wr_biten_i(regs.timing.wr_biten),
    .rd_ack_o(regs_in.timing.rd_ack), .rd_data_o(regs_in.timing.rd_data), .wr_ack_o(regs_in.timing.wr_ack),
    .words_o(timing_words)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      timing_q   <= timing_of(TimingReset);
      map_q      <= map_of(MapReset);
      rd_delay_q <= '0;
    end else if (load_i) begin
      timing_q   <= timing_of(timing_words);
      map_q      <= map_of(map_words);
      rd_delay_q <= regs.phy.rd_delay.value;
    end
  end

  assign policy_o   = policy_of(policy_words);
  assign timing_o   = timing_q;
  assign map_o      = map_q;
  assign rd_delay_o = rd_delay_q;

  assign init_start_o = regs.ctrl.init_start.value;
  assign commit_o     = regs.ctrl.commit.value;

  // ---------------------------------------------------------------- counters
  // Order, from bit 0: cycles, events of PC0, of PC1, of port 0, of port 1; as the registers are laid out. An event of cycle N comes in
  // N+2;
  // so do, with these registers, a snapshot and a clear whose register write ends in N (M9).
  logic [1:0] started_q;   // cycle 0 of the count has come through
  logic       snapshot_q;
  logic       clear_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      started_q   <= '0;
      snapshot_q  <= 1'b0;
      clear_q     <= 1'b0;
    end else begin
      started_q   <= {started_q[0], 1'b1};
      snapshot_q  <= regs.ctrl.snapshot.value;
      clear_q     <= regs.ctrl.clear.value;
    end
  end

  hbm_csr_counters #(.NumCounters(NumCounters)) u_counters (
    .clk_i, .rst_ni,
    .event_i({port_events_i, pc_events_i, started_q[1]}),
    .snapshot_i(snapshot_q), .clear_i(clear_q),
    .req_i(regs.counters.req), .wr_i(regs.counters.req_is_wr), .addr_i(regs.counters.addr[$clog2(NumCounters)+2:2]),
    .rd_ack_o(regs_in.counters.rd_ack), .rd_data_o(regs_in.counters.rd_data), .wr_ack_o(regs_in.counters.wr_ack)
  );

  // ---------------------------------------------------------------- identity and status
  assign regs_in.id.generation.next         = 8'(Generation);
  assign regs_in.id.layout.next             = 8'(LayoutVersion);
  assign regs_in.id.pcs.next                = 8'(NumPcs);
  assign regs_in.id.auto_init.next          = AutoInit;
  assign regs_in.geometry.sids.next         = 8'(NumSids);
  assign regs_in.geometry.bank_groups.next  = 8'(NumBankGroups);
  assign regs_in.geometry.banks.next        = 8'(BanksPerGroup);
  assign regs_in.geometry.cols.next         = 8'(Cols);
  assign regs_in.rows.rows.next             = 32'(Rows);
  assign regs_in.sizes.rd_entries.next      = 8'(RdDepth);
  assign regs_in.sizes.wr_entries.next      = 8'(WrDepth);
  assign regs_in.sizes.rob_slots.next       = 8'(RobSlots);
  assign regs_in.sizes.init_shift.next      = 8'(InitShift);

  assign regs_in.status.init_done.next      = init_done_i;
  assign regs_in.status.busy.next           = init_busy_i;
  assign regs_in.status.state.next          = init_state_i;
  assign regs_in.status.temp.next           = temp_i;
  assign regs_in.status.idle.next           = idle_i;
  assign regs_in.status.closed.next         = closed_i;

  for (genvar i = 0; i < int'(NumPcs); i++) begin : g_load
    assign regs_in.load[i].rd_level.next     = 8'(pc_status_i[i].rd_level);
    assign regs_in.load[i].wr_level.next     = 8'(pc_status_i[i].wr_level);
    assign regs_in.load[i].refresh_debt.next = pc_status_i[i].refresh_debt;
    assign regs_in.load[i].refresh_early.next = pc_status_i[i].refresh_early;
    assign regs_in.load[i].writing.next      = pc_status_i[i].writing;
  end

  // ---------------------------------------------------------------- interrupts
  logic done_q;
  logic busy_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      done_q <= 1'b0;
      busy_q <= 1'b0;
    end else begin
      done_q <= init_done_i;
      busy_q <= init_busy_i;
    end
  end

  assign regs_in.irq_status.aerr.next        = aerr_i;
  assign regs_in.irq_status.derr0.next       = derr_i[0];
  assign regs_in.irq_status.derr1.next       = derr_i[1];
  assign regs_in.irq_status.rdata0.next      = rdata_error_i[0];
  assign regs_in.irq_status.rdata1.next      = rdata_error_i[1];
  assign regs_in.irq_status.slverr0.next     = port_events_i[0].slverr;
  assign regs_in.irq_status.slverr1.next     = port_events_i[1].slverr;
  assign regs_in.irq_status.decerr0.next     = port_events_i[0].decerr;
  assign regs_in.irq_status.decerr1.next     = port_events_i[1].decerr;
  assign regs_in.irq_status.init_done.next   = init_done_i && !done_q;
  // The first fall of busy ends the initialisation itself; it comes before done.
  assign regs_in.irq_status.commit_done.next = busy_q && !init_busy_i && done_q;

  assign irq_o = regs.irq_status.intr;

endmodule
