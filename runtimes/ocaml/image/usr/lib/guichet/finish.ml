(* Takes out of the image what no program here is made with: the compiler as bytecode and as a library, 300 MB. *)

let ends_with = Filename.check_suffix

let remove_from folder is_unused =
  Array.iter (fun name -> if is_unused name then Unix.unlink (Filename.concat folder name)) (Sys.readdir folder)

let () =
  let tools = [ "ocamldebug"; "ocamldumpobj"; "x86_64-linux-gnu-lto-dump-12" ] in
  remove_from "/usr/bin" (fun name -> ends_with name ".byte" || List.mem name tools);
  remove_from "/usr/lib/ocaml" (fun name -> List.mem name [ "expunge"; "extract_crc" ]);
  remove_from "/usr/lib/ocaml/compiler-libs" (fun _ -> true)
