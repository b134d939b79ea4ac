// Controller of one pseudo-channel: queues, bank state, timers, selection, refresh, data paths. Wires only (M3 to M6).

module hbm_pc
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// 0: column commands stand in p0, 1: in p1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input timing_t    timing_i,  // active set; changes only while closed
  input policy_t    policy_i,
  input logic [2:0] temp_i,    // gray code, multiplies the refresh interval

  input  logic enable_i,  // commands allowed
  input  logic close_i,   // maintenance: run empty, precharge, stay closed
  output logic idle_o,    // queues empty, no data in flight
  output logic closed_o,  // stopped by close_i, every distance to MRS and REF has passed
  output logic precharged_o,  // no bank is open

  input  rd_req_t rd_req_i,
  input  logic    rd_req_valid_i,
  input  logic    rd_req_express_i,  // of the express lane
  output logic    rd_req_ready_o,    // a request of the normal lane is accepted
  output logic    rd_req_ready_x_o,  // one of the express lane is
  input  logic    rd_refused_i,      // a lane of the port has a request that is not accepted
  input  wr_req_t wr_req_i,
  input  logic    wr_req_valid_i,  // only with a credit
  output logic    wr_credit_o,     // one credit back; WrDepth at start
  output rd_rsp_t rd_rsp_o,

  output row_cmd_t act_o,
  output row_cmd_t short_o,
  output logic     short_a_ok_o,
  input  logic     act_gnt_i,
  input  logic     short_gnt_a_i,
  input  logic     short_gnt_b_i,
  output col_cmd_t col_o,

  output dfi_wr_t    dfi_wr_o,
  output logic [1:0] rddata_en_o,
  input  dfi_rd_t    dfi_rd_i,

  output events_t    events_o,
  output pc_status_t status_o,
  output logic       rd_surplus_o,  // read data without a read
  output logic       rd_missing_o   // read without data
);

  if (Pc > 1) begin : g_bad_pc
    $fatal(1, "hbm_pc: Pc must be 0 or 1");
  end

  gaps_t               gaps;
  bank_cmd_t           cmd;
  bank_ok_t            ok;
  pc_ok_t              pc_ok;
  demand_t             demand;
  ref_wish_t           wish;
  logic [RowWidth-1:0] rows [NumBanks];
  bank_vec_t           page_close;
  group_vec_t          group_rd_ok, group_wr_ok, group_ok0, group_ok1, group_next1;
  logic                writing, age_tick, set_end, stop, short_gnt, row_pending, quiet;
  logic [7:0]          debt;
  logic [3:0]          early;
  logic [NumSids-1:0]  set_sid;

  // ---------------------------------------------------------------- queues
  logic    rd_ins, wr_ins, rd_space, rd_space_x, wr_no_space_x, wr_space, rmw_space, rmw_start, rmw_aged, rmw_starved, rmw_urgent;
  rd_vec_t rd_valid, rd_hit, rd_aged, rd_starved, rd_urgent, rd_slot, rd_rmw_slot, rd_col_set, rd_pick, rd_act_set, rd_pre_set,
           rd_aux_pick, rd_turn_set, rd_turn_pick, rd_champion;
  wr_vec_t wr_valid, wr_hit, wr_aged, wr_starved, wr_urgent, wr_slot, wr_no_slot, wr_col_set, wr_pick, wr_act_set, wr_pre_set, rmw_set,
           rmw_pick, wr_turn_set, wr_turn_pick, wr_champion;
  rd_vec_t rd_next_urgent, rd_act_wait, rd_act_match;
  wr_vec_t wr_next_urgent, wr_act_wait, wr_act_match;
  arrival_t arrival [3];
  bank_vec_t rd_bank, wr_bank, ap_bank;  // of the column picks; of the one that closes its row
  bank_vec_t act_bank;  // of the ACT that may be granted
  logic any_rd, any_wr;
  rd_vec_t rd_of_bank [NumBanks];
  wr_vec_t wr_of_bank [NumBanks];
  rd_vec_t rd_cam [1];
  wr_vec_t wr_cam [2];
  loc_t    rd_loc, wr_loc, rd_cam_loc [1], wr_cam_loc [2];
  loc_t    rd_col_loc, wr_col_loc, rd_act_loc, wr_act_loc, rd_aux_loc, rmw_loc;
  logic [BankWidth-1:0]  rd_pre_bank, wr_pre_bank;
  logic                  rd_act_any, rd_act_urgent, rd_pre_any, rd_pre_urgent, wr_act_any, wr_act_urgent, wr_pre_any, wr_pre_urgent;
  logic                  rd_act_champion, rd_pre_champion, wr_act_champion, wr_pre_champion;
  logic [LevelWidth-1:0] rd_level, wr_level;
  logic [RobWidth-1:0]   rd_col_tag;
  logic                  wr_no_space, wr_no_tag, wr_no_hit;
  logic [WrIdxWidth-1:0] rmw_idx;
  logic                  forward_room, forward_claim, forward_hold, forward, same;  // reads from queued writes

  assign rd_loc        = loc_of(rd_req_i.addr);
  assign wr_loc        = loc_of(wr_req_i.addr);
  assign rd_cam_loc[0] = wr_loc;
  assign wr_cam_loc[0] = rd_loc;
  assign wr_cam_loc[1] = wr_loc;
  assign same          = rd_loc == wr_loc;
  assign rd_ins        = rd_req_valid_i & (rd_req_express_i ? rd_req_ready_x_o : rd_req_ready_o);
  assign wr_ins        = wr_req_valid_i;

  assign rd_req_ready_o   = rd_space & forward_room;
  assign rd_req_ready_x_o = rd_space_x & forward_room;

  // Age class at enqueue (M4.5).
  logic rd_mid, rd_high, wr_mid, wr_high;
  assign rd_mid  = 5'(rd_req_i.qos) >= policy_i.qos_mid;
  assign rd_high = 5'(rd_req_i.qos) >= policy_i.qos_high;
  assign wr_mid  = 5'(wr_req_i.qos) >= policy_i.qos_mid;
  assign wr_high = 5'(wr_req_i.qos) >= policy_i.qos_high;

  hbm_req_queue #(.Depth(RdEntries), .HostDepth(RdDepth), .ReservedDepth(RmwDepth), .TagWidth(RobWidth), .Cams(1)) u_rd_queue (
    .clk_i, .rst_ni,
    .ins_a_i(rd_ins), .keep_a_i(~forward), .loc_a_i(rd_loc), .tag_a_i(rd_req_i.tag),
    .aged_a_i(rd_mid), .high_a_i(rd_high), .slot_a_o(rd_slot), .space_a_o(rd_space), .space_x_o(rd_space_x),
    .ins_b_i(rmw_start), .loc_b_i(rmw_loc), .tag_b_i(RobWidth'(rmw_idx)), .aged_b_i(rmw_aged), .starved_b_i(rmw_starved),
    .urgent_b_i(rmw_urgent), .slot_b_o(rd_rmw_slot), .space_b_o(rmw_space),
    .issue_i(rd_pick),
    .rows_i(rows), .act_bank_i(act_bank), .act_row_i(act_o.addr.row), .act_gnt_i, .age_tick_i(age_tick),
    .cam_loc_i(rd_cam_loc), .cam_match_o(rd_cam),
    .valid_o(rd_valid), .hit_o(rd_hit), .aged_o(rd_aged), .starved_o(rd_starved), .urgent_o(rd_urgent), .of_bank_o(rd_of_bank),
    .level_o(rd_level), .next_urgent_o(rd_next_urgent), .act_wait_o(rd_act_wait), .act_match_o(rd_act_match),
    .hit_a_o(arrival[0].hit), .hit_b_o(arrival[1].hit),
    .col_set_i(rd_col_set), .col_pick_o(rd_pick), .col_loc_o(rd_col_loc), .col_tag_o(rd_col_tag),
    .act_set_i(rd_act_set), .act_loc_o(rd_act_loc), .act_any_o(rd_act_any), .act_urgent_o(rd_act_urgent),
    .act_champion_o(rd_act_champion),
    .pre_set_i(rd_pre_set), .pre_bank_o(rd_pre_bank), .pre_any_o(rd_pre_any), .pre_urgent_o(rd_pre_urgent),
    .pre_champion_o(rd_pre_champion),
    .aux_set_i('0), .aux_pick_o(rd_aux_pick), .aux_loc_o(rd_aux_loc),
    .turn_set_i(rd_turn_set), .turn_pick_o(rd_turn_pick), .champion_i(rd_champion)
  );

  hbm_req_queue #(.Depth(WrDepth), .HostDepth(WrDepth), .ReservedDepth(0), .TagWidth(1), .Cams(2)) u_wr_queue (
    .clk_i, .rst_ni,
    .ins_a_i(wr_ins), .keep_a_i(1'b1), .loc_a_i(wr_loc), .tag_a_i(1'b0),
    .aged_a_i(wr_mid), .high_a_i(wr_high), .slot_a_o(wr_slot), .space_a_o(wr_space), .space_x_o(wr_no_space_x),
    .ins_b_i(1'b0), .loc_b_i('0), .tag_b_i(1'b0), .aged_b_i(1'b0), .starved_b_i(1'b0), .urgent_b_i(1'b0),
    .slot_b_o(wr_no_slot), .space_b_o(wr_no_space),
    .issue_i(wr_pick),
    .rows_i(rows), .act_bank_i(act_bank), .act_row_i(act_o.addr.row), .act_gnt_i, .age_tick_i(age_tick),
    .cam_loc_i(wr_cam_loc), .cam_match_o(wr_cam),
    .valid_o(wr_valid), .hit_o(wr_hit), .aged_o(wr_aged), .starved_o(wr_starved), .urgent_o(wr_urgent), .of_bank_o(wr_of_bank),
    .level_o(wr_level), .next_urgent_o(wr_next_urgent), .act_wait_o(wr_act_wait), .act_match_o(wr_act_match),
    .hit_a_o(arrival[2].hit), .hit_b_o(wr_no_hit),
    .col_set_i(wr_col_set), .col_pick_o(wr_pick), .col_loc_o(wr_col_loc), .col_tag_o(wr_no_tag),
    .act_set_i(wr_act_set), .act_loc_o(wr_act_loc), .act_any_o(wr_act_any), .act_urgent_o(wr_act_urgent),
    .act_champion_o(wr_act_champion),
    .pre_set_i(wr_pre_set), .pre_bank_o(wr_pre_bank), .pre_any_o(wr_pre_any), .pre_urgent_o(wr_pre_urgent),
    .pre_champion_o(wr_pre_champion),
    .aux_set_i(rmw_set), .aux_pick_o(rmw_pick), .aux_loc_o(rmw_loc),
    .turn_set_i(wr_turn_set), .turn_pick_o(wr_turn_pick), .champion_i(wr_champion)
  );

  assign precharged_o = ok.open == '0;

  hbm_age_tick u_age_tick (.clk_i, .rst_ni, .limit_i(policy_i.starve_limit), .tick_o(age_tick));

  // ---------------------------------------------------------------- order of requests to the same bytes
  rd_vec_t rd_free;
  wr_vec_t wr_free, wr_free_of_wr, wr_started, wr_complete;
  rd_vec_t rd_able, rd_frees, rd_frees_urgent;  // able: could use an open row
  wr_vec_t wr_able, wr_frees, wr_frees_urgent;
  logic    rd_ins_free, wr_ins_free;
  logic    merge;
  logic [WrIdxWidth-1:0]   merge_idx;
  logic [AxiDataWidth-1:0] merge_data;

  hbm_hazard u_hazard (
    .clk_i, .rst_ni,
    .rd_ins_i(rd_ins), .rd_slot_i(rd_slot), .rd_match_wr_i(wr_cam[0] & {WrDepth{~forward_claim}}),
    .wr_ins_i(wr_ins), .wr_slot_i(wr_slot), .wr_match_rd_i(rd_cam[0]), .wr_match_wr_i(wr_cam[1]), .same_i(same & ~forward_claim),
    .rd_issue_i(rd_pick), .wr_issue_i(wr_pick),
    .rd_urgent_i(rd_next_urgent), .wr_urgent_i(wr_next_urgent), .wr_started_i(wr_valid & (wr_started | rmw_pick)),
    .rd_ins_free_o(rd_ins_free), .wr_ins_free_o(wr_ins_free), .rd_frees_o(rd_frees), .rd_frees_urgent_o(rd_frees_urgent),
    .wr_frees_o(wr_frees), .wr_frees_urgent_o(wr_frees_urgent),
    .rd_free_o(rd_free), .wr_free_o(wr_free), .wr_free_of_wr_o(wr_free_of_wr)
  );

  hbm_rmw u_rmw (
    .clk_i, .rst_ni, .wr_ins_i(wr_ins), .wr_slot_i(wr_slot), .wr_partial_i(~&wr_req_i.strb),
    .wr_valid_i(wr_valid), .wr_free_of_wr_i(wr_free_of_wr), .wr_aged_i(wr_aged), .wr_starved_i(wr_starved), .wr_urgent_i(wr_urgent),
    .age_tick_i(age_tick),
    .start_set_o(rmw_set), .start_pick_i(rmw_pick), .space_i(rmw_space), .start_o(rmw_start), .start_idx_o(rmw_idx),
    .start_aged_o(rmw_aged), .start_starved_o(rmw_starved), .start_urgent_o(rmw_urgent), .done_i(merge), .done_idx_i(merge_idx),
    .started_o(wr_started), .ready_o(wr_complete)
  );

  assign rd_able = rd_valid & rd_free;
  assign wr_able = wr_valid & wr_free & wr_started;

  // New entries: a read of the host, the read of a merge, a write.
  assign arrival[0].valid  = rd_ins & ~forward;
  assign arrival[0].bank   = rd_loc.bank;
  assign arrival[0].able   = rd_ins_free;
  assign arrival[0].urgent = rd_high;
  assign arrival[1].valid  = rmw_start;
  assign arrival[1].bank   = rmw_loc.bank;
  assign arrival[1].able   = 1'b1;
  assign arrival[1].urgent = rmw_urgent;
  assign arrival[2].valid  = wr_ins;
  assign arrival[2].bank   = wr_loc.bank;
  assign arrival[2].able   = wr_ins_free & (HasDataMask | (&wr_req_i.strb));
  assign arrival[2].urgent = wr_high;

  // ---------------------------------------------------------------- banks and timers
  hbm_gaps u_gaps (.clk_i, .rst_ni, .timing_i, .ap_min_ras_i(policy_i.ap_min_ras), .gaps_o(gaps));

  hbm_banks #(.Pc(Pc)) u_banks (.clk_i, .rst_ni, .gaps_i(gaps), .cmd_i(cmd), .ok_o(ok), .rows_o(rows));

  hbm_group_timers #(.Pc(Pc)) u_group_timers (
    .clk_i, .rst_ni, .gaps_i(gaps), .cmd_i(cmd), .rd_ok_o(group_rd_ok), .wr_ok_o(group_wr_ok),
    .act_ok0_o(group_ok0), .act_ok1_o(group_ok1), .act_next1_o(group_next1)
  );

  hbm_pc_timers #(.Pc(Pc)) u_pc_timers (
    .clk_i, .rst_ni, .gaps_i(gaps), .cmd_i(cmd), .set_end_i(set_end), .set_sid_i(set_sid), .ok_o(pc_ok)
  );

  hbm_bank_demand u_bank_demand (
    .clk_i, .rst_ni, .open_i(ok.open), .rd_able_i(rd_able), .rd_hit_i(rd_hit), .rd_urgent_i(rd_urgent), .rd_of_bank_i(rd_of_bank),
    .wr_able_i(wr_able), .wr_hit_i(wr_hit), .wr_urgent_i(wr_urgent), .wr_of_bank_i(wr_of_bank),
    .rd_next_urgent_i(rd_next_urgent), .wr_next_urgent_i(wr_next_urgent), .wr_next_able_i(wr_able | (rmw_pick & wr_free)),
    .arrival_i(arrival), .act_bank_i(act_bank), .rd_act_wait_i(rd_act_wait), .rd_act_match_i(rd_act_match),
    .wr_act_wait_i(wr_act_wait), .wr_act_match_i(wr_act_match), .act_gnt_i, .rd_pick_i(rd_pick), .wr_pick_i(wr_pick),
    .col_bank_i(rd_bank | wr_bank), .rd_frees_i(rd_frees), .rd_frees_urgent_i(rd_frees_urgent), .wr_frees_i(wr_frees),
    .wr_frees_urgent_i(wr_frees_urgent), .demand_o(demand)
  );

  // ---------------------------------------------------------------- the one that everything makes way for
  bank_vec_t claimed;
  logic      champion_ready, champion_wr, served;
  demand_t   demand_unclaimed;

  hbm_champion u_champion (
    .clk_i, .rst_ni,
    .rd_starved_i(rd_starved), .rd_free_i(rd_free), .rd_hit_i(rd_hit), .rd_of_bank_i(rd_of_bank), .rd_set_o(rd_turn_set),
    .rd_oldest_i(rd_turn_pick), .rd_pick_i(rd_pick),
    .wr_starved_i(wr_starved), .wr_free_i(wr_free & wr_complete), .wr_hit_i(wr_hit), .wr_of_bank_i(wr_of_bank), .wr_set_o(wr_turn_set),
    .wr_oldest_i(wr_turn_pick), .wr_pick_i(wr_pick),
    .open_i(ok.open), .held_i(wish.held), .rd_champion_o(rd_champion), .wr_champion_o(wr_champion), .claimed_o(claimed),
    .ready_o(champion_ready), .writing_o(champion_wr), .served_o(served)
  );

  always_comb begin
    demand_unclaimed = demand;
    demand_unclaimed.keep_open &= ~claimed;
  end

  // ---------------------------------------------------------------- columns
  rd_vec_t   rd_open;
  wr_vec_t   wr_open;
  logic      rd_path_ready, wr_path_ready, rd_path_empty, wr_path_empty, issue;
  assign issue = any_rd | any_wr;

  bank_vec_t page_early, stale;
  logic      short_wanted;

  hbm_page_predict u_page_predict (
    .clk_i, .rst_ni, .timeout_i(policy_i.page_timeout), .open_i(ok.open), .rows_i(rows), .act_i(cmd.act),
    .act_bank_i(bank_of(act_o.addr.sid, act_o.addr.bg, act_o.addr.ba)), .act_row_i(act_o.addr.row),
    .pre_i(cmd.pre), .pre_wanted_i(short_wanted), .column_i(cmd.rd | cmd.wr), .early_o(page_early), .stale_o(stale)
  );

  hbm_page_policy u_page_policy (.policy_i, .lone_hit_i(demand.lone_hit), .conflict_i(demand.conflict), .early_i(page_early),
    .close_o(page_close));

  hbm_col_select u_col_select (
    .writing_i(writing),
    .rd_bank_ok_i(ok.rd_ok & banks_of_groups(group_rd_ok) & banks_of_sids(pc_ok.rd_sid)),
    .wr_bank_ok_i(ok.wr_ok & banks_of_groups(group_wr_ok)),
    .rd_ok_i(pc_ok.rd & rd_path_ready & enable_i & ~forward_hold), .wr_ok_i(pc_ok.wr & wr_path_ready & enable_i),
    .masked_i(wish.held | ~ok.open | claimed), .urgent_only_i(demand.urgent_conflict),
    .rd_close_i(page_close & ok.rda_ok), .wr_close_i(page_close & ok.wra_ok),
    .rd_ready_i(rd_hit & rd_free), .rd_urgent_i(rd_urgent), .rd_of_bank_i(rd_of_bank),
    .wr_ready_i(wr_hit & wr_free & wr_complete), .wr_urgent_i(wr_urgent), .wr_of_bank_i(wr_of_bank),
    .rd_champion_i(rd_champion), .wr_champion_i(wr_champion), .served_i(served),
    .rd_open_o(rd_open), .wr_open_o(wr_open),
    .rd_set_o(rd_col_set), .rd_pick_i(rd_pick), .wr_set_o(wr_col_set), .wr_pick_i(wr_pick),
    .rd_bank_o(rd_bank), .wr_bank_o(wr_bank), .any_rd_o(any_rd), .any_wr_o(any_wr), .close_o(ap_bank)
  );

  hbm_direction u_direction (
    .clk_i, .rst_ni, .policy_i, .rd_open_i(rd_open), .rd_urgent_i(rd_urgent), .wr_open_i(wr_open), .wr_urgent_i(wr_urgent),
    .rd_level_i(rd_level), .wr_level_i(wr_level), .issue_i(issue),
    .force_i(champion_ready), .force_wr_i(champion_wr), .stay_i(served), .writing_o(writing), .quiet_o(quiet)
  );

  // ---------------------------------------------------------------- rows and refresh
  hbm_refresh u_refresh (
    .clk_i, .rst_ni, .timing_i, .policy_i, .temp_i, .enable_i, .stop_i(stop),
    .ok_i(ok), .group_next1_i(banks_of_groups(group_next1)), .queued_i(demand.queued), .hit_i(demand.hit), .act_i(cmd.act),
    .refsb_i(cmd.refsb), .ref_all_i(cmd.ref_all), .quiet_i(quiet), .wish_o(wish), .set_end_o(set_end), .set_sid_o(set_sid),
    .debt_o(debt), .early_o(early)
  );

  hbm_row_select u_row_select (
    .clk_i, .rst_ni, .enable_i, .writing_i(writing), .rrd_l_long_i(gaps.rrd_l_long),
    .ok_i(ok), .pc_ok_i(pc_ok), .group_ok0_i(group_ok0), .group_ok1_i(group_ok1), .group_next1_i(group_next1),
    .demand_i(demand_unclaimed), .wish_i(wish), .stale_i(stale), .claimed_i(claimed),
    .rd_able_i(rd_able), .rd_hit_i(rd_hit), .rd_of_bank_i(rd_of_bank),
    .wr_able_i(wr_able), .wr_hit_i(wr_hit), .wr_of_bank_i(wr_of_bank),
    .rd_act_set_o(rd_act_set), .rd_act_loc_i(rd_act_loc), .rd_act_any_i(rd_act_any), .rd_act_urgent_i(rd_act_urgent),
    .rd_act_champion_i(rd_act_champion),
    .rd_pre_set_o(rd_pre_set), .rd_pre_bank_i(rd_pre_bank), .rd_pre_any_i(rd_pre_any), .rd_pre_urgent_i(rd_pre_urgent),
    .rd_pre_champion_i(rd_pre_champion),
    .wr_act_set_o(wr_act_set), .wr_act_loc_i(wr_act_loc), .wr_act_any_i(wr_act_any), .wr_act_urgent_i(wr_act_urgent),
    .wr_act_champion_i(wr_act_champion),
    .wr_pre_set_o(wr_pre_set), .wr_pre_bank_i(wr_pre_bank), .wr_pre_any_i(wr_pre_any), .wr_pre_urgent_i(wr_pre_urgent),
    .wr_pre_champion_i(wr_pre_champion),
    .act_o, .short_o, .short_a_ok_o, .short_wanted_o(short_wanted), .act_gnt_i, .short_gnt_i(short_gnt),
    .act_bank_o(act_bank), .pending_o(row_pending)
  );

  hbm_pc_commit u_pc_commit (
    .clk_i, .rst_ni, .act_i(act_o), .short_i(short_o), .act_gnt_i, .short_gnt_a_i, .short_gnt_b_i,
    .rd_bank_i(rd_bank), .rd_loc_i(rd_col_loc), .wr_bank_i(wr_bank), .wr_loc_i(wr_col_loc),
    .any_rd_i(any_rd), .any_wr_i(any_wr), .ap_i(ap_bank),
    .cmd_o(cmd), .short_gnt_o(short_gnt), .col_o
  );

  hbm_maintain u_maintain (
    .clk_i, .rst_ni, .close_i, .rd_empty_i(rd_level == '0), .wr_empty_i(wr_level == '0),
    .rd_path_empty_i(rd_path_empty), .wr_path_empty_i(wr_path_empty), .row_pending_i(row_pending), .ok_i(ok), .pc_ok_i(pc_ok),
    .idle_o, .stop_o(stop), .closed_o
  );

  // ---------------------------------------------------------------- data
  logic                    wr_word_valid;
  logic [AxiDataWidth-1:0] wr_word_data;
  logic [AxiStrbWidth-1:0] wr_word_strb;
  wr_vec_t                 copy_slot;
  logic [AxiDataWidth-1:0] copy_data;
  rd_rsp_t                 path_rsp;

  hbm_wr_buffer u_wr_buffer (
    .clk_i, .rst_ni, .ins_i(wr_ins), .ins_slot_i(wr_slot), .ins_data_i(wr_req_i.data), .ins_strb_i(wr_req_i.strb),
    .merge_i(merge), .merge_idx_i(merge_idx), .merge_data_i(merge_data),
    .pick_i(wr_pick), .valid_o(wr_word_valid), .data_o(wr_word_data), .strb_o(wr_word_strb),
    .copy_slot_i(copy_slot), .copy_data_o(copy_data)
  );

  hbm_wr_path #(.Pc(Pc)) u_wr_path (
    .clk_i, .rst_ni, .wl_i(timing_i.wl), .pick_i(any_wr), .ready_o(wr_path_ready),
    .valid_i(wr_word_valid), .data_i(wr_word_data), .strb_i(wr_word_strb), .dfi_o(dfi_wr_o), .empty_o(wr_path_empty)
  );

  hbm_rd_path #(.Pc(Pc)) u_rd_path (
    .clk_i, .rst_ni, .rl_i(timing_i.rl), .pick_i(any_rd), .rmw_i(|rd_pick[RdDepth+:RmwDepth]), .tag_i(rd_col_tag),
    .ready_o(rd_path_ready), .rddata_en_o, .dfi_i(dfi_rd_i), .rsp_o(path_rsp),
    .merge_o(merge), .merge_idx_o(merge_idx), .merge_data_o(merge_data),
    .empty_o(rd_path_empty), .surplus_o(rd_surplus_o), .missing_o(rd_missing_o)
  );

  hbm_forward u_forward (
    .clk_i, .rst_ni, .enable_i(policy_i.forward),
    .wr_ins_i(wr_ins), .wr_slot_i(wr_slot), .wr_full_i(&wr_req_i.strb), .wr_match_wr_i(wr_cam[1]), .wr_issue_i(wr_pick),
    .rd_take_i(rd_ins), .rd_tag_i(rd_req_i.tag), .rd_match_wr_i(wr_cam[0]), .same_i(same),
    .room_o(forward_room), .claim_o(forward_claim), .forward_o(forward),
    .copy_slot_o(copy_slot), .copy_data_i(copy_data), .rsp_i(path_rsp), .merge_i(merge), .rsp_o(rd_rsp_o), .hold_o(forward_hold)
  );

  hbm_credit_return u_credit_return (.clk_i, .rst_ni, .free_i(any_wr), .credit_o(wr_credit_o));

  // ---------------------------------------------------------------- what others see
  stall_t stall;

  hbm_stall u_stall (
    .clk_i, .rst_ni, .enable_i, .stop_i(stop), .writing_i(writing), .issue_i(issue), .empty_i(rd_level == '0 && wr_level == '0),
    .rd_open_i(rd_open), .rd_ok_i(ok.rd_ok), .wr_open_i(wr_open), .wr_ok_i(ok.wr_ok),
    .rd_able_i(rd_able), .rd_of_bank_i(rd_of_bank), .wr_able_i(wr_able), .wr_of_bank_i(wr_of_bank),
    .held_i(wish.held), .idle_next1_i(ok.idle_next1), .rfc_next1_i(pc_ok.rfc_next1),
    .act_i(cmd.act), .refsb_i(cmd.refsb), .ref_all_i(cmd.ref_all), .stall_o(stall)
  );

  hbm_pc_events u_pc_events (
    .clk_i, .rst_ni, .cmd_i(cmd), .conflict_i(demand.conflict), .rmw_i(rmw_start),
    .rd_refused_i, .wr_full_i(~wr_space), .forward_i(forward), .rd_req_i(rd_ins), .wr_req_i(wr_ins),
    .stall_i(stall), .events_o
  );

  assign status_o = '{rd_level: rd_level, wr_level: wr_level, refresh_debt: (debt > 8'd31) ? 5'd31 : 5'(debt), refresh_early: early,
    writing: writing};

  // Second requests, tags and age classes that only one of the two queues needs.
  logic unused_wires;
  assign unused_wires = ^{rd_aged, rd_rmw_slot, rd_aux_pick, rd_aux_loc, wr_no_slot, wr_no_space, wr_no_space_x, wr_no_tag, wr_no_hit};

endmodule
