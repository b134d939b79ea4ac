// Forms all distances that are sums or maxima of timing registers, once, in registers.
//
// Latency: one cycle. The timing registers change only while the channel is closed (M7.1), so a late cycle costs nothing.

module hbm_gaps
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  timing_t    timing_i,
  input  logic [7:0] ap_min_ras_i,  // CK, 0: no limit
  output gaps_t      gaps_o
);

  gaps_t      gaps_d, gaps_q;
  logic [9:0] burst_end;  // WR to the end of its data
  logic [9:0] wr_pre;
  logic [8:0] ras_rp;
  logic [9:0] read_end;

  assign burst_end = 10'(timing_i.wl) + 10'(NBl);
  assign wr_pre    = burst_end + 10'(timing_i.t_wr);
  assign ras_rp    = 9'(timing_i.t_ras) + 9'(timing_i.t_rp);
  assign read_end  = 10'(timing_i.rl) + 10'(NBl);

  function automatic logic [9:0] less(input logic [9:0] a, input logic [9:0] b);
    return (a > b) ? a - b : '0;
  endfunction

  always_comb begin
    gaps_d.act_rd  = timing_i.t_rcd_rd;
    gaps_d.act_wr  = timing_i.t_rcd_wr;
    gaps_d.act_pre = timing_i.t_ras;
    // Auto-precharge starts no earlier than tRAS, so tRAS + tRP binds even where tRC is programmed shorter.
    gaps_d.act_act = (ras_rp > 9'(timing_i.t_rc)) ? ras_rp : 9'(timing_i.t_rc);
    gaps_d.rd_pre  = timing_i.t_rtp;
    gaps_d.wr_pre  = wr_pre;
    gaps_d.wr_rda  = burst_end + less(10'(timing_i.t_wr), 10'(timing_i.t_rtp));
    gaps_d.pre_act = timing_i.t_rp;
    gaps_d.rda_act = 9'(timing_i.t_rtp) + 9'(timing_i.t_rp);
    gaps_d.wra_act = wr_pre + 10'(timing_i.t_rp);
    gaps_d.act_rda = 8'(less(10'(ap_min_ras_i), 10'(timing_i.t_rtp)));
    gaps_d.act_wra = 8'(less(10'(ap_min_ras_i), wr_pre));
    gaps_d.rrd_s   = timing_i.t_rrd_s;
    gaps_d.rrd_l   = timing_i.t_rrd_l;
    gaps_d.faw     = timing_i.t_faw;
    gaps_d.ccd_s   = timing_i.t_ccd_s;
    gaps_d.ccd_l   = timing_i.t_ccd_l;
    gaps_d.ccd_r   = timing_i.t_ccd_r;
    gaps_d.wtr_s   = burst_end + 10'(timing_i.t_wtr_s);
    gaps_d.wtr_l   = burst_end + 10'(timing_i.t_wtr_l);
    gaps_d.rtw     = (less(read_end, 10'(timing_i.wl)) > 10'(timing_i.t_rtw)) ? 9'(less(read_end, 10'(timing_i.wl)))
                                                                             : 9'(timing_i.t_rtw);
    gaps_d.rrefd   = timing_i.t_rrefd;
    gaps_d.ppd     = timing_i.t_ppd;
    gaps_d.rfc     = timing_i.t_rfc;
    gaps_d.rfc_sb  = timing_i.t_rfc_sb;
    gaps_d.rrd_l_long = timing_i.t_rrd_l > 8'd2;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) gaps_q <= '0;
    else gaps_q <= gaps_d;
  end

  assign gaps_o = gaps_q;

endmodule
