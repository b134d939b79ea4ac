// AXI4 master of one port: offers what the request rings hold, at the times that docs/bench.md gives, and records what comes back.

module hbm_axi_master
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
  import hx_codes_pkg::*;
#(
  parameter int unsigned Port = 0
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  longint unsigned cycle_i,

  output axi_ax_t         ar_o,
  output logic            ar_valid_o,
  input  logic            ar_ready_i,
  output axi_ax_t         aw_o,
  output logic            aw_valid_o,
  input  logic            aw_ready_i,
  output axi_w_t          w_o,
  output logic            w_valid_o,
  input  logic            w_ready_i,
  input  axi_r_t          r_i,
  input  logic            r_valid_i,
  output logic            r_ready_o,
  input  axi_b_t          b_i,
  input  logic            b_valid_i,
  output logic            b_ready_o
);

  // A planted fault cuts VALID and READY of a channel on both sides, so that neither side sees a handshake.
  logic [2:0] stuck_q;
  logic       ar_valid_q, aw_valid_q, w_valid_q;
  assign ar_valid_o = ar_valid_q && !stuck_q[0];
  assign aw_valid_o = aw_valid_q && !stuck_q[1];
  assign w_valid_o  = w_valid_q  && !stuck_q[2];

  logic ar_fire, aw_fire, w_fire;
  assign ar_fire = ar_valid_o && ar_ready_i;
  assign aw_fire = aw_valid_o && aw_ready_i;
  assign w_fire  = w_valid_o  && w_ready_i;

  // What stood on R and B when they were refused: it must still stand there in the next cycle.
  logic   r_held_q, b_held_q;
  axi_r_t r_q;
  axi_b_t b_q;

  // Fields of a request as hx.cpp packs them. The attributes without a meaning take any value: nothing may read them.
  function automatic axi_ax_t unpack_ax(input bit [95:0] p);
    axi_ax_t ax;
    ax = '0;
    {ax.cache, ax.prot, ax.region} = cycle_i[10:0] ^ p[15:5];
    ax.addr  = p[39:0];
    ax.id    = p[40 +: AxiIdWidth];
    ax.len   = p[55:48];
    ax.size  = p[58:56];
    ax.burst = p[60:59];
    ax.lock  = p[61];
    ax.qos   = p[67:64];
    return ax;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin : tick
    int unsigned act;
    bit [95:0]   ax;
    bit [319:0]  w;
    if (!rst_ni) begin
      ar_valid_q <= 1'b0;
      aw_valid_q <= 1'b0;
      w_valid_q  <= 1'b0;
      r_ready_o  <= 1'b0;
      b_ready_o  <= 1'b0;
      stuck_q    <= '0;
      r_held_q   <= 1'b0;
      b_held_q   <= 1'b0;
    end else begin
      if (r_valid_i && r_ready_o) hx_r(Port, cycle_i, 32'({r_i.last, r_i.resp, 8'(r_i.id)}), r_i.data);
      if (b_valid_i && b_ready_o) hx_b(Port, cycle_i, 32'({b_i.resp, 8'(b_i.id)}));

      r_held_q <= r_valid_i && !r_ready_o;
      b_held_q <= b_valid_i && !b_ready_o;
      if (r_valid_i && !r_ready_o) r_q <= r_i;
      if (b_valid_i && !b_ready_o) b_q <= b_i;
      if (r_held_q && (!r_valid_i || r_i != r_q)) hx_error(half_ck(cycle_i, 0), ErrHandshake, Port, 0);
      if (b_held_q && (!b_valid_i || b_i != b_q)) hx_error(half_ck(cycle_i, 0), ErrHandshake, Port, 1);

      act = hx_port(Port, cycle_i, {29'd0, w_fire, aw_fire, ar_fire});
      if (ar_fire) ar_valid_q <= 1'b0;
      if (aw_fire) aw_valid_q <= 1'b0;
      if (w_fire)  w_valid_q  <= 1'b0;
      if (act[0]) begin
        hx_ax(Port, 0, ax);
        ar_o       <= unpack_ax(ax);
        ar_valid_q <= 1'b1;
      end
      if (act[1]) begin
        hx_ax(Port, 1, ax);
        aw_o       <= unpack_ax(ax);
        aw_valid_q <= 1'b1;
      end
      if (act[2]) begin
        hx_w(Port, w);
        w_o       <= '{data: w[255:0], strb: w[287:256], last: w[288]};
        w_valid_q <= 1'b1;
      end
      r_ready_o <= act[3];
      b_ready_o <= act[4];
      stuck_q   <= act[7:5];
    end
  end

endmodule
