// Types of the small controller: requests, and the timings that it keeps, in CK.

package small_pkg;

  typedef struct packed {
    logic         write;
    logic         pc;
    logic [3:0]   bank;   // {bank group, bank}
    logic [13:0]  row;
    logic [4:0]   col;
    logic [255:0] data;
    logic [31:0]  mask;   // 1: the byte is not written
  } request_t;

  typedef struct packed {
    logic [7:0]  rl, wl, rcd_rd, rcd_wr, rp, rc, rtp, wr, wtr, rtw, mrd, mod;
    logic [11:0] rfc;
    logic [15:0] refi;
  } timing_t;

  // What one CK carries: {falling, rising} word of each command bus, and levels.
  typedef struct packed {
    logic [1:0][5:0] row;
    logic [1:0][7:0] col;
    logic            cke;
    logic            ck_en;
    logic            reset_n;
  } words_t;

endpackage
