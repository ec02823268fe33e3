import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/** Sorting in threads, a parallel stream, garbage, exceptions and a null dereference that the JVM turns into one. */
public class ThreadedSort {
    public static void main(String[] arguments) throws Exception {
        int[][] parts = new int[4][200000];
        Random random = new Random(5);
        for (int[] part : parts)
            for (int i = 0; i < part.length; i++)
                part[i] = random.nextInt();
        ExecutorService pool = Executors.newFixedThreadPool(4);
        Future<?>[] done = new Future<?>[4];
        for (int i = 0; i < 4; i++) {
            int[] part = parts[i];
            done[i] = pool.submit(() -> Arrays.sort(part));
        }
        long hash = 0;
        for (int i = 0; i < 4; i++) {
            done[i].get();
            hash = hash * 31 + Arrays.hashCode(parts[i]);
        }
        pool.shutdown();
        long sum = IntStream.range(0, 500000).parallel().mapToLong(i -> (long) i * i % 7).sum();
        StringBuilder garbage = new StringBuilder();
        for (int i = 0; i < 50000; i++)
            if (("text" + i).hashCode() % 1000 == 0)
                garbage.append(i).append(' ');
        int caught = 0;
        for (int i = 0; i < 3000; i++) {
            String nothing = i % 2 == 0 ? null : "x";
            try {
                caught += nothing.length();
            } catch (NullPointerException exception) {
                caught += 10;
            }
        }
        System.out.println(hash + " " + sum + " " + garbage.length() + " " + caught);
    }
}
