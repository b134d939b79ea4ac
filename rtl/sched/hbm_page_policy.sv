// Says for each bank whether the next column command to it should close the row (M4.3).

module hbm_page_policy
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input  policy_t   policy_i,
  input  bank_vec_t lone_hit_i,
  input  bank_vec_t conflict_i,
  input  bank_vec_t early_i,     // the predictor says close
  output bank_vec_t close_o
);

  always_comb begin
    unique case (policy_i.page)
      PageOpen:      close_o = '0;
      PageLookahead: close_o = lone_hit_i;
      PageConflict:  close_o = lone_hit_i & conflict_i;
      PageClosed:    close_o = '1;
      default:       close_o = lone_hit_i & (conflict_i | early_i);  // adaptive; the codes above it too
    endcase
    if (!policy_i.ap_allowed) close_o = '0;
  end

endmodule
