{ Runs a compiler of Pascal and sees to it that a program came of it: compile PROGRAM COMPILER [ARGUMENT…]

  The compiler is content with a unit or a library in the main file, of which it makes no program. }
program Compile;

{$mode objfpc}{$H+}

uses
  SysUtils;

var
  words: array of RawByteString;
  code, i: integer;

begin
  SetLength(words, ParamCount - 2);
  for i := 3 to ParamCount do
    words[i - 3] := ParamStr(i);
  code := ExecuteProcess(ParamStr(2), words);
  if (code = 0) and not FileExists(ParamStr(1)) then
  begin
    writeln(ParamStr(ParamCount), '(1,1) Error: the main file holds no program');
    code := 1;
  end;
  halt(code);
end.
