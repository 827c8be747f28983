{ `guichet runtime check` compiles and runs this: the image holds what every program is promised. }
program Check;

{$mode objfpc}{$H+}

uses
  cthreads, Classes, SysUtils;

var
  missing: integer = 0;

procedure Expect(holds: boolean; what: string);
begin
  if holds then exit;
  writeln('missing: ', what);
  missing := 1;
end;

function Writes(path: string): boolean;
var
  target: text;
begin
  assign(target, path);
  {$I-}
  rewrite(target);
  {$I+}
  Result := IOResult = 0;
  if Result then close(target);
end;

function Users: string;
var
  lines: TStringList;
begin
  lines := TStringList.Create;
  lines.LoadFromFile('/etc/passwd');
  Result := lines.Text;
  lines.Free;
end;

begin
  Expect(Pos('UTF-8', GetEnvironmentVariable('LANG')) > 0, 'the locale of LANG');
  Expect(FileExists('/usr/share/zoneinfo/Europe/Paris'), 'the time zone Europe/Paris');
  Expect(Pos(GetEnvironmentVariable('USER') + ':', Users) > 0, 'a name for the uid');
  Expect(Pos(':' + GetEnvironmentVariable('HOME') + ':', Users) > 0, 'a home for the uid');
  Expect(Writes('/dev/stderr'), 'a stream that can be opened by name');
  Expect(Writes('made'), 'a work folder that can be written to');
  halt(missing);
end.
