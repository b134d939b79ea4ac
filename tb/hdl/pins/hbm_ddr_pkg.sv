// The real pins of one channel, as wires carry them: both edges of CK and of the data strobes, one bit a pin.
//
// Data lanes have three wires a pin in place of a tri-state one: what the host drives, its output enable, and what the device drives.

package hbm_ddr_pkg;

  import hbm_geometry_pkg::*;
  import hbm_pkg::*;

  localparam int unsigned UiPerCk = (Generation == 2) ? 2 : 4;  // unit intervals of the data lanes in one CK
  localparam int unsigned DqPins = PhaseBits / UiPerCk;         // of one PC
  localparam int unsigned DmPins = DqPins / 8;                  // DM (HBM2) and DBI
  localparam int unsigned ParPins = 4 / UiPerCk;                // one a DQ word

  // What a host drives on the lanes of one PC.
  typedef struct packed {
    logic               oe;    // the lanes are driven
    logic               wdqs;  // one edge in the middle of each unit interval that carries data, rising first; else low
    logic [DqPins-1:0]  dq;
    logic [DmPins-1:0]  dm;    // HBM2; elsewhere 0
    logic [DmPins-1:0]  dbi;
    logic [ParPins-1:0] par;
  } ddr_wr_t;

  typedef struct packed {
    logic               ck;       // CK_t; low while stopped
    logic               reset_n;
    logic               cke;      // HBM2; elsewhere 0
    logic [RowPins-1:0] r;
    logic [ColPins-1:0] c;
    logic               apar;     // HBM3/4; elsewhere 0
    logic               arfu;     // HBM3/4; elsewhere 0
    ddr_wr_t [NumPcs-1:0] wr;
  } ddr_out_t;

  // What the device drives on the lanes of one PC.
  typedef struct packed {
    logic               rdqs;  // as wdqs, for read data
    logic [DqPins-1:0]  dq;
    logic [DmPins-1:0]  dbi;
    logic [ParPins-1:0] par;
    logic               derr;
  } ddr_rd_t;

  typedef struct packed {
    ddr_rd_t [NumPcs-1:0] rd;
    logic                 aerr;
  } ddr_in_t;

endpackage
