# With `perl -c`, which tells mistakes and warnings alike: marks the warnings.
package Guichet::Check;

$SIG{__WARN__} = sub { print STDERR "warning: ", @_ };

1;
