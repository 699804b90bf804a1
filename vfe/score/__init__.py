"""How good a restored clip is: the metrics of `vfe score`, one a file, and the tables and pages that they are put in.

`picture` and `moment` are what a metric sees, `metric` is what it says; `metrics` are those that need nothing but this
package (and OpenCV for the flow), `packs` those that need weights or packages that the user has.
"""
