// Takes W beats against credits for write queue entries and holds each one until its burst is known (M2.2).
//
// Latency: a beat taken in cycle N is processed in N+1 when its AW was taken in N or earlier, so the beat register is the only
// place where a beat ever waits, and only for its AW. `w_ready_o` depends on flops and `quiesce_i` only.

module hbm_wr_accept
  import hbm_pkg::*;
(
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     quiesce_i,

  input  axi_w_t                   w_i,
  input  logic                     w_valid_i,
  output logic                     w_ready_o,

  // The head burst of the AW FIFO, to which the held beat belongs.
  input  logic                     burst_valid_i,
  input  logic                     next_valid_i,     // a second burst is known
  input  logic                     last_beat_i,      // the held beat ends the head burst

  output axi_w_t                   beat_o,
  output logic                     beat_valid_o,     // processed in this cycle

  input  logic                     beat_used_i,      // the processed beat made a request: its credit is spent
  input  logic                     credit_i          // one write queue entry was freed
);

  localparam int unsigned CreditWidth = $clog2(WrDepth + 1);

  logic                   valid_q;
  logic [CreditWidth-1:0] credit_q;
  logic [CreditWidth-1:0] credit_d;   // without the refund
  logic                   known;
  logic                   take;
  logic                   refund;

  // Without a known burst one beat is taken ahead; in quiesce only a beat of a burst that has been taken.
  assign known = burst_valid_i && (!valid_q || !last_beat_i || next_valid_i);
  assign w_ready_o = credit_q != 0 && (!valid_q || burst_valid_i) && (known || !quiesce_i);
  assign take = w_valid_i && w_ready_o;

  assign beat_valid_o = valid_q && burst_valid_i;
  // The refund is known late, after the merge of strobes: it only selects.
  assign refund = beat_valid_o && !beat_used_i;
  assign credit_d = credit_q - CreditWidth'(take) + CreditWidth'(credit_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q  <= 1'b0;
      credit_q <= CreditWidth'(WrDepth);
    end else begin
      valid_q  <= take || (valid_q && !burst_valid_i);
      credit_q <= refund ? credit_d + CreditWidth'(1) : credit_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) beat_o <= w_i;
  end

`ifndef SYNTHESIS
  CreditNeverAboveDepth_A : assert property (@(posedge clk_i) disable iff (!rst_ni) credit_q <= CreditWidth'(WrDepth));
`endif

endmodule
