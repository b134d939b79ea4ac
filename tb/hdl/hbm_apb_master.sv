// APB4 master: carries out the register accesses of the apb_req ring, one at a time.

module hbm_apb_master
  import hbm_tb_pkg::*;
  import hx_codes_pkg::*;
(
  input  logic            clk_i,
  input  logic            rst_ni,
  input  longint unsigned cycle_i,
  input  logic            start_i,  // a record may start in the next cycle

  output logic            psel_o,
  output logic            penable_o,
  output logic            pwrite_o,
  output logic [15:0]     paddr_o,
  output logic [31:0]     pwdata_o,
  output logic [3:0]      pstrb_o,
  output logic [2:0]      pprot_o,
  input  logic            pready_i,
  input  logic [31:0]     prdata_i,
  input  logic            pslverr_i
);

  localparam int unsigned Patience = 10_000;  // cycles without PREADY before an error
  logic [15:0] wait_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin : tick
    bit [95:0] p;
    if (!rst_ni) begin
      psel_o    <= 1'b0;
      penable_o <= 1'b0;
      wait_q    <= '0;
    end else if (psel_o && penable_o) begin
      wait_q <= wait_q + 16'd1;
      if (pready_i) begin
        hx_apb_response(cycle_i, prdata_i, {31'd0, pslverr_i});
        psel_o    <= 1'b0;
        penable_o <= 1'b0;
      end else if (wait_q == 16'(Patience)) begin
        hx_error(half_ck(cycle_i, 0), ErrApbTimeout, {16'd0, paddr_o}, longint'(Patience));
      end
    end else if (psel_o) begin
      penable_o <= 1'b1;
      wait_q    <= '0;
    end else if (start_i) begin
      hx_apb_request(p);
      psel_o   <= 1'b1;
      paddr_o  <= p[15:0];
      pprot_o  <= cycle_i[2:0];  // any value: the registers have no protection levels
      pwdata_o <= p[63:32];
      pwrite_o <= p[64];
      pstrb_o  <= p[64] ? p[68:65] : 4'd0;  // APB4: PSTRB is low on reads
    end
  end

endmodule
