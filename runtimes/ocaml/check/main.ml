(* `guichet runtime check` compiles and runs this: the image holds what every program is promised. *)

let missing = ref false

let check holds what =
  if not holds then (
    print_endline ("missing: " ^ what);
    missing := true)

let writes path =
  match open_out path with
  | channel -> close_out channel; true
  | exception Sys_error _ -> false

let () =
  let is variable value = Sys.getenv_opt variable = Some value in
  check (is "LANG" "C.UTF-8") "the locale of LANG";
  Unix.putenv "TZ" "Europe/Paris";
  check ((Unix.localtime 1_700_000_000.).Unix.tm_hour = 23) "the time zone Europe/Paris";
  (match Unix.getpwuid (Unix.getuid ()) with
  | user ->
      check (is "USER" user.Unix.pw_name && is "LOGNAME" user.Unix.pw_name) "a name for the uid";
      check (is "HOME" user.Unix.pw_dir) "a home for the uid"
  | exception Not_found -> check false "a name for the uid");
  check (writes "/dev/stderr") "a stream that can be opened by name";
  check (writes "made") "a work folder that can be written to";
  Thread.join (Thread.create ignore ());
  exit (if !missing then 1 else 0)
