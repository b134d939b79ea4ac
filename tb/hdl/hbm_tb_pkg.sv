// Types and DPI functions of the timed side of the bench (docs/bench.md).

package hbm_tb_pkg;

  import hbm_pkg::*;

  // cmd_e by the names of the standard: short enough to be read in a wave of one cycle.
  typedef enum logic [4:0] {
    NOP, ACT, PRE, PREA, RD, RDA, WR, WRA, REF, REFSB, RFM, RFMSB, MRS, PDE, PDX, SRE, SRX
  } command_e;

  // A command decoded from the pins; the layout is that of the second half of a record in the cmd ring.
  typedef struct packed {
    logic [15:0] row;   // MRS: {MA, OP}
    logic [7:0]  col;
    logic [7:0]  bank;  // within its bank group
    logic [7:0]  bg;
    logic [7:0]  sid;
    logic [7:0]  pc;
    logic [7:0]  cmd;   // hbm_pkg::cmd_e
  } pin_cmd_t;

  // Commands of one cycle. Row slot 2p + f has its first edge in phase p on the rising (f = 0) or falling (f = 1) edge.
  // `act_wrapped`: the ACT in row slot 0 had its first edge in p1 of the cycle before.
  typedef struct packed {
    logic     [3:0] row_valid;
    logic     [1:0] col_valid;
    logic           act_wrapped;
  } pin_valid_t;

  import "DPI-C" function void hx_reset();
  import "DPI-C" function int unsigned hx_cycle(input longint unsigned cycle, input int unsigned irq);
  import "DPI-C" function int unsigned hx_take_reset();
  import "DPI-C" function void hx_set_in_reset(input int unsigned value);
  import "DPI-C" function void hx_error(input longint unsigned when_half_ck, input int unsigned code, input int unsigned a,
                                        input longint unsigned b);

  import "DPI-C" function int unsigned hx_port(input int unsigned port, input longint unsigned cycle, input int unsigned fires);
  import "DPI-C" function void hx_ax(input int unsigned port, input int unsigned kind, output bit [95:0] payload);
  import "DPI-C" function void hx_w(input int unsigned port, output bit [319:0] payload);
  import "DPI-C" function void hx_r(input int unsigned port, input longint unsigned cycle, input int unsigned meta,
                                    input bit [255:0] data);
  import "DPI-C" function void hx_b(input int unsigned port, input longint unsigned cycle, input int unsigned meta);

  import "DPI-C" function void hx_apb_request(output bit [95:0] payload);
  import "DPI-C" function void hx_apb_response(input longint unsigned cycle, input int unsigned data, input int unsigned slverr);

  import "DPI-C" function void hx_dev_config(input int unsigned generation, input int unsigned sids, input int unsigned groups,
                                             input int unsigned banks, input int unsigned rows, input int unsigned has_mask);
  import "DPI-C" function void hx_dev_cmd(input longint unsigned when_half_ck, input longint unsigned fields);
  import "DPI-C" function int unsigned hx_dev_lanes(input longint unsigned cycle);
  import "DPI-C" function void hx_dev_read(input int unsigned pc, input longint unsigned ck, output bit [127:0] data);
  import "DPI-C" function void hx_dev_write(input int unsigned pc, input longint unsigned ck, input int unsigned driven,
                                            input int unsigned mask, input bit [127:0] data);
  import "DPI-C" function int unsigned hx_record(input longint unsigned when_half_ck, input longint unsigned fields);

  function automatic longint unsigned half_ck(input longint unsigned cycle, input int unsigned slot);
    return cycle * 4 + longint'(slot);
  endfunction

endpackage
