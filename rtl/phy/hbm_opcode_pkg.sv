// Opcode table of HBM3/HBM4 and of the 7/9-pin buses of large HBM2E parts: every code and bit place that no public source gives (M8.1).
//
// ALL VALUES HERE ARE ASSUMED unless the line says public. A licensee of JESD238, JESD270-4 or JESD235D edits this file and
// models/hbm_model/encoding.py, nothing else. The assumed codes follow HBM2 where HBM2 has the command.

package hbm_opcode_pkg;

  // ---- HBM3/HBM4 row bus, R[2:0] of the first edge. PC on R3, SID on R[5:4], BA on R[9:6]: public.
  localparam logic [2:0] RowAct    = 3'b110;
  localparam logic [2:0] RowPre    = 3'b011;  // PREpb
  localparam logic [2:0] RowPrea   = 3'b001;  // PREab
  localparam logic [2:0] RowRefsb  = 3'b100;  // REFpb
  localparam logic [2:0] RowRef    = 3'b000;  // REFab and RFMab: they use no bank, so R9 tells them apart
  localparam logic [2:0] RowRfmsb  = 3'b101;  // RFMpb
  localparam logic       RefabR9   = 1'b1;
  localparam logic       RfmabR9   = 1'b0;
  // R[3:0] without a PC field.
  localparam logic [3:0] RowPde    = 4'b1010; // public
  localparam logic [3:0] RowSre    = 4'b0010; // self-refresh is held while R0 is low: public; the other bits assumed

  // ACT, falling edge: RA[14:8] from this pin on; second rising edge: RA[7:0] on R[9:2] is public.
  localparam int unsigned ActFallLsb = 2;
  localparam int unsigned ActRiseLsb = 2;     // public
  localparam int unsigned ActDrfmPin = 9;     // HBM4 directed-refresh flag on the falling edge: public; never set here

  // ---- HBM3/HBM4 column bus. Rising edge: opcode C[2:0], PC, BA. Falling edge: CA, AP, SID. CNOP = 111 is public.
  localparam logic [2:0] ColRd  = 3'b101;
  localparam logic [2:0] ColWr  = 3'b001;
  localparam logic [2:0] ColMrs = 3'b000;
  localparam int unsigned ColRisePcPin  = 3;
  localparam int unsigned ColRiseBaLsb  = 4;
  localparam int unsigned ColFallCaLsb  = 0;
  localparam int unsigned ColFallApPin  = 5;
  localparam int unsigned ColFallSidLsb = 6;
  localparam int unsigned MrsRiseMaLsb  = 3;  // MA[4:0]; OP[7:0] fills the falling edge

  // Level of the spare pin ARFU: any valid level (public that it must be driven and takes part in parity).
  localparam logic ArfuLevel = 1'b1;

  // ---- HBM2E, 16 Gb dies or 12-high stacks: one more pin per bus, R6 and C8. SID0 keeps its place.
  localparam int unsigned WidePinR = 6;       // ACT cycle 1: rise SID1, fall RA14; cycle 2: 1; PRE, REFSB: rise SID1
  localparam int unsigned WidePinC = 8;       // RD, WR: rise SID1; else 1

endpackage
