create table t(id integer primary key, a integer, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
  insert into t select i, (i * 7919) % 10007, 'text' || (i % 101), i / 7.0 from n;
create index ta on t(a);
create index tb on t(b, a);
select count(*), sum(a), min(c), round(max(c), 3) from t;
select b, count(*), sum(a) from t group by b order by 3 desc limit 5;
select x.id, y.id from t x join t y on x.a = y.a and x.id < y.id order by x.a, x.id, y.id limit 5;
update t set c = c * 2 where a % 3 = 0;
delete from t where a % 11 = 0;
select count(*), round(sum(c), 2) from t;
begin; update t set b = upper(b); rollback;
select group_concat(b, '') from (select distinct b from t order by b limit 10);
select avg(a) over (partition by id % 5 order by id rows 3 preceding) from t order by id limit 5;
select json_extract('{"a": [1, 2, {"b": 3}]}', '$.a[2].b'), length(randomblob(8)), printf('%.3f', 2.0 / 3);
