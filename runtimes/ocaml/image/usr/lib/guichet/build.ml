(* Builds one program from the OCaml files of a submission, whatever their names.

     build OUTPUT ENTRY [SOURCE…]

   The entry is linked last; the others, in all folders, are modules of their own, in the order that they need one another. What
   the compiler says of a place is written on one line, `file:line:column: error: message`, and then as it is. *)

let tool name = "/usr/bin/" ^ name

(* Runs a command; what it writes to standard output and error, together, and whether it ended with 0. *)
let said command =
  let reading, writing = Unix.pipe ~cloexec:true () in
  let child = Unix.create_process command.(0) command Unix.stdin writing writing in
  Unix.close writing;
  let text = Buffer.create 4096 and channel = Unix.in_channel_of_descr reading in
  (try
     while true do
       Buffer.add_channel text channel 1
     done
   with End_of_file -> ());
  let _, status = Unix.waitpid [] child in
  (Buffer.contents text, status = Unix.WEXITED 0)

(* `File "main.ml", line 3, characters 8-15:` or `File "main.ml", lines 3-4, characters 8-15:` *)
let place line =
  let one = {|^File "\(.*\)", lines? \([0-9]+\)\(-[0-9]+\)?\(, characters \([0-9]+\)-[0-9]+\)?:$|} in
  if not (Str.string_match (Str.regexp one) line 0) then None
  else
    let group number = Str.matched_group number line in
    let column = try ":" ^ string_of_int (1 + int_of_string (group 5)) with Not_found -> "" in
    Some (group 1 ^ ":" ^ group 2 ^ column)

(* `Error: message`, `Warning 26 [unused-var]: message`, `Error (warning 8 …): message` *)
let message line =
  let is what = Str.string_match (Str.regexp (what ^ "[^:]*: ?\\(.*\\)$")) line 0 in
  if is "Error" then Some ("error", Str.matched_group 1 line)
  else if is "Warning" then Some ("warning", Str.matched_group 1 line)
  else None

let tell text =
  let rec go place_before waiting = function
    | [] -> List.iter prerr_endline (List.rev waiting)
    | line :: rest -> (
        match (place line, place_before, message line) with
        | Some found, _, _ ->
            List.iter prerr_endline (List.rev waiting);
            go (Some found) [] rest
        | None, Some at, Some (severity, text) ->
            let text, rest =
              match rest with next :: rest when text = "" -> (String.trim next, rest) | _ -> (text, rest)
            in
            Printf.eprintf "%s: %s: %s\n" at severity text;
            go None waiting rest
        | None, Some _, None -> go place_before (line :: waiting) rest
        | None, None, _ ->
            List.iter prerr_endline (List.rev waiting);
            prerr_endline line;
            go None [] rest)
  in
  go None [] (String.split_on_char '\n' (String.trim text) |> List.filter (fun line -> line <> ""))

(* An entry that is called x.mli is no interface of its own. *)
let suffix_of_interfaces path = if Filename.check_suffix path ".mli" then ".none" else ".mli"

let run command =
  let text, ended_well = said command in
  tell text;
  if not ended_well then exit 1

let () =
  match Array.to_list Sys.argv with
  | _ :: output :: entry :: others ->
      let objects = Filename.concat (Filename.get_temp_dir_name ()) "objects" in
      Unix.mkdir objects 0o755;
      let includes = [ "-I"; objects; "-I"; "+threads" ] in
      let order =
        if others = [] then []
        else
          let text, _ = said (Array.of_list ([ tool "ocamldep.opt"; "-sort"; "-one-line" ] @ others)) in
          let listed = List.filter (fun path -> List.mem path others) (String.split_on_char ' ' (String.trim text)) in
          (* What it does not list is compiled all the same, so that the compiler says what is wrong. *)
          listed @ List.filter (fun path -> not (List.mem path listed)) others
      in
      let compile ?(is_interface = false) path name =
        let made = Filename.concat objects name ^ if is_interface then ".cmi" else ".cmx" in
        let kind = if is_interface then [ "-intf" ] else [ "-intf-suffix"; suffix_of_interfaces path; "-impl" ] in
        (* 24: the file's name is no module's name. *)
        run (Array.of_list ([ tool "ocamlopt.opt"; "-g"; "-c"; "-w"; "-24" ] @ includes @ [ "-o"; made ] @ kind @ [ path ]));
        if is_interface then None else Some made
      in
      let name path = Filename.remove_extension (Filename.basename path) in
      let is_interface path = Filename.check_suffix path ".mli" in
      let before = List.filter_map (fun path -> compile ~is_interface:(is_interface path) path (name path)) order in
      let main = Option.to_list (compile entry "main") in
      let libraries = [ "unix.cmxa"; "threads.cmxa"; "str.cmxa" ] in
      run (Array.of_list ([ tool "ocamlopt.opt"; "-g" ] @ includes @ [ "-o"; output ] @ libraries @ before @ main))
  | _ ->
      prerr_endline "usage: build OUTPUT ENTRY [SOURCE…]";
      exit 2
